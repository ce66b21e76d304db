"""Steps about registered versions: register, verify, evaluate, point an alias at one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError
from ml_orchestrator.health.performance.predictions import Predicted, read_predictions
from ml_orchestrator.health.performance.scoring import with_interval
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.samples import SampleReader, side_of
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.orchestration.steps._trained import trained_at
from ml_orchestrator.orchestration.steps.promote import promote
from ml_orchestrator.orchestration.steps.register import register_from
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.serving.loader import load_model
from ml_orchestrator.serving.predict import predict

__all__ = ["evaluate", "register_version", "set_alias", "verify"]

MOST_ROWS = 100_000
_PREDICTED, _CHANCE = "\0predicted", "\0chance of "  # no column of a file is called so


def register_version(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Register what a training step left, with its manifest.

    Raises:
        NotFoundError: nothing trained lies there.
    """
    return register_from(context, params, trained_at(context, params["trained"]))


def verify(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Check a version byte for byte on a private copy.

    Raises:
        IntegrityViolationError: a check failed; the message names each that did.
    """
    with registry_for_a_step(context.settings) as desk:
        report = desk.vault.verify(params["model"], params["version"])
    if wrong := [f"{check.name}: {check.detail}" for check in report.checks if not check.ok]:
        raise IntegrityViolationError(
            f"Version {report.version} of {report.model!r} is not as registered: "
            f"{'; '.join(wrong)}."
        )
    return {
        "model": report.model,
        "version": report.version,
        "n_checks": len(report.checks),
        "manifest_digest": report.manifest_digest,
    }


def set_alias(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Point an alias at a version by compare-and-set; the alias's rules hold."""
    moved = promote(context, params, {"version": params["version"]})
    return {"model": params["model"], "version": params["version"], **moved}


def evaluate(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Score a verified version on labelled rows, with 95 % bootstrap intervals.

    Raises:
        InvalidInputError: no target, too many rows, or they do not fit the model.
        IntegrityViolationError: the version is not what was registered.
    """
    dataset = SampleReader(context.settings).dataset(params["source"], params["column_types"])
    target = params["target"] or dataset.default_target
    if target is None or target not in dataset.frame.columns:
        known = ", ".join(dataset.frame.columns[:50])
        raise InvalidInputError(f"{params['source']!r} has no target {target!r}; columns: {known}.")
    if dataset.frame.height > MOST_ROWS:
        raise InvalidInputError(
            f"{params['source']!r} has {dataset.frame.height:,} rows; at most {MOST_ROWS:,} are "
            "scored. Give a sample."
        )
    context.report(0.1, "asking the model")
    rows = _predicted(context, params, dataset, target)
    context.report(0.8, "scoring")
    found = with_interval(rows, np.random.default_rng(0))
    return {
        "model": params["model"],
        "version": params["version"],
        "n_rows": int(rows.is_labelled.sum()),
        "scores": {name: value for name, (value, _, _) in found.items()},
        "intervals": {name: [low, high] for name, (_, low, high) in found.items()},
    }


def _predicted(
    context: StepContext, params: Mapping[str, Any], dataset: Dataset, target: str
) -> Predicted:
    """Return what a verified copy of the version says about each row, beside the truth."""
    with (
        registry_for_a_step(context.settings) as desk,
        desk.vault.checkout(params["model"], params["version"]) as copy,
    ):
        model = load_model(
            copy.directory / copy.description.model_file,
            signature_inputs=copy.description.signature_inputs,
            signature_outputs=copy.description.signature_outputs,
            extra_trusted=trusted_types(context.settings),
            serialization=copy.description.serialization,
        )
        names = [c.name for c in model.columns if c.name in dataset.frame.columns]
        answers = predict(model, dataset.frame.select(names).to_dicts())
    table = {target: side_of(dataset).rows[target]}
    table[_PREDICTED] = np.array([_plain(value) for value in answers.predictions])
    if answers.probabilities is None:
        return read_predictions(
            table, side="evaluated", target=target, prediction=_PREDICTED, probabilities=None
        )
    columns = {name: f"{_CHANCE}{name}" for name in answers.probabilities[0]}
    for name, column in columns.items():
        table[column] = np.array([row[name] for row in answers.probabilities])
    table[_PREDICTED] = np.array([str(v) for v in answers.predictions], dtype=object)
    return read_predictions(
        table, side="evaluated", target=target, prediction=_PREDICTED, probabilities=columns
    )


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, bool | int | float) else value
