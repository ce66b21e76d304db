"""A registered version with the rows that it learnt from, and those that it never saw."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ml_orchestrator.compression.quality import Bar, Rows
from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.serving.loader import load_model, reads_other_rows
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.baselines import baseline_scores
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.intervals import resampling
from ml_orchestrator.training.job import Job, prepare
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import (
    SPEC_FILE,
    SUMMARY_FILE,
    TrainingSpec,
    TrainingSummary,
)

__all__ = ["Case", "Origin", "load_case", "origin_of", "refuse_looking_back"]

N_RESAMPLES = 500
SAME = 1e-6  # relative difference of two scores up to which the rows are taken to be the same


@dataclass(frozen=True, slots=True)
class Origin:
    """How a version came about: enough to rebuild the rows that were held out from it.

    ``is_compressed``: it was not fitted on its data but made of another version.
    """

    version: int
    spec: TrainingSpec
    summary: TrainingSummary
    is_compressed: bool


@dataclass(frozen=True)
class Case:
    """A version, loaded, beside its data.

    Attributes:
        name: of the registered model.
        origin: where the version comes from.
        model: what was registered, verified.
        job: its training again, up to where rows are held out.
        about: the data set in words, for the model card.
        given: what it predicts for the held-out rows.
    """

    name: str
    origin: Origin
    model: Any
    job: Job
    about: str
    given: Predictions

    @property
    def unseen(self) -> pd.DataFrame:
        """The held-out rows, raw."""
        return self.job.table.features.iloc[self.job.split.test]

    @property
    def folds(self) -> tuple[Rows, Rows]:
        """Rows to fit on and to choose by, all of the training part."""
        return self.job.split.folds[-1]

    def bar(self, tolerance: float) -> Bar:
        """Return what is asked on the held-out rows."""
        return self._bar(tolerance, self.job.split.train, self.job.split.test)

    def choosing_bar(self, tolerance: float) -> Bar:
        """Return what is asked on the rows that choices are made by."""
        return self._bar(tolerance, *self.folds)

    def answers(self, model: Any) -> Predictions:
        """Return what a model predicts for the held-out rows."""
        return predict(model, self.unseen, self.job.table, self.job.split.test)

    def choosing_score(self, model: Any) -> float:
        """Return the metric on the rows that choices are made by."""
        table, (_, rows) = self.job.table, self.folds
        return table.metric.compute(predict(model, table.features.iloc[rows], table, rows))

    def draws(self) -> tuple[Callable[[np.random.Generator], Rows], int]:
        """Return what draws held-out rows anew, groups and times kept together, and how often.

        As often for many rows as for few: the ends of an interval lie far out.
        """
        table, rows = self.job.table, self.job.split.test
        groups = None if table.groups is None else table.groups[rows]
        draw = resampling(len(rows), groups, is_ordered=table.times is not None)
        return draw, N_RESAMPLES

    def refitted(self) -> Any:
        """Return a model made like this one, but without the rows that choices are made by.

        It is fitted when it is first asked for; nobody may change it.

        Raises:
            InvalidInputError: it was not fitted on data, or its recipe is not known.
        """
        return self._refitted

    @cached_property
    def _refitted(self) -> Any:
        members = self.origin.summary.members
        if self.origin.is_compressed or not members:
            raise InvalidInputError(
                f"Version {self.origin.version} of {self.name!r} was itself made by compression "
                "or without a recipe, so it cannot be fitted again to choose by. Compress the "
                "version that it came from, or use onnx and quantise."
            )
        table, (rows, _) = self.job.table, self.folds
        fitted = [
            fit(self.job.build({"trainer": m.trainer, **m.params}), table, rows) for m in members
        ]
        if not hasattr(self.model, "members"):
            return fitted[0]
        names = [name for name, _ in self.model.members]
        parts = self.model.get_params(deep=False)
        parts["members"] = list(zip(names, fitted, strict=True))
        return type(self.model)(**parts)

    def _bar(self, tolerance: float, train: Rows, test: Rows) -> Bar:
        table = self.job.table
        metric = table.metric
        known = baseline_scores([metric], table, train, test)
        if metric.name not in known:
            raise InvalidInputError(
                f"{metric.name} is not defined for a baseline on these rows, so no share of its "
                "gain can be asked for. Train with another metric, such as log_loss or r2."
            )
        return Bar(metric.name, metric.sign, known[metric.name], tolerance)


def origin_of(settings: Settings, model: str, reference: int | str) -> Origin:
    """Return where a version comes from, from the files of its run.

    Args:
        settings: where the registry is.
        model: its name.
        reference: number or alias.

    Raises:
        NotFoundError: no such model, alias or version.
        InvalidInputError: its run does not say how its rows were held out.
        UnavailableError: MLflow cannot answer.
    """
    with registry_for_a_step(settings) as desk:
        number = desk.resolve(model, reference)
        run_id = desk.store.version(model, number).run_id
    tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.home)
    try:
        kept = json.loads(tracker.read_file(run_id or "", SPEC_FILE))
        return Origin(
            version=number,
            spec=TrainingSpec.model_validate(kept["spec"]),
            summary=TrainingSummary.model_validate_json(
                tracker.read_file(run_id or "", SUMMARY_FILE)
            ),
            is_compressed=bool(kept.get("is_compressed", False)),
        )
    except (NotFoundError, ValidationError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"Version {number} of {model!r} does not say how its rows were held out "
            f"({SPEC_FILE} and {SUMMARY_FILE} of its run): another program or an earlier release "
            "made it. Train it again with training_start, then compress that."
        ) from error


def load_case(settings: Settings, model: str, reference: int | str) -> Case:
    """Return a version, verified and loaded, with its data as they were when it was trained.

    Raises:
        IntegrityViolationError: the version is not what was registered.
        InvalidInputError: the version looks back at earlier rows.
        ConflictError: the data are others by now, or give another score than was recorded.
        OrchestratorError: as for ``origin_of``, or the data cannot be read.
    """
    origin = origin_of(settings, model, reference)
    estimator = _loaded(settings, model, origin.version)
    refuse_looking_back(estimator, f"Version {origin.version} of {model!r}")
    dataset = load_dataset(
        origin.spec.source,
        roots=settings.roots,
        max_bytes=settings.max_data_bytes,
        column_types=origin.spec.column_types,
    )
    if dataset.digest != origin.summary.dataset_digest:
        raise ConflictError(
            f"{origin.spec.source} has changed since version {origin.version} of {model!r} was "
            "trained on it, so its held-out rows are gone. Restore the file, or train on the new "
            "one and compress that."
        )
    job = prepare(origin.spec, dataset)
    rows = job.split.test
    given = predict(estimator, job.table.features.iloc[rows], job.table, rows)
    case = Case(model, origin, estimator, job, dataset.description, given)
    _check_score(case)
    return case


def _loaded(settings: Settings, model: str, version: int) -> Any:
    with registry_for_a_step(settings) as desk, desk.vault.checkout(model, version) as copy:
        return load_model(
            copy.directory / copy.description.model_file,
            signature_inputs=copy.description.signature_inputs,
            signature_outputs=copy.description.signature_outputs,
            extra_trusted=trusted_types(settings),
            serialization=copy.description.serialization,
        ).estimator


def refuse_looking_back(estimator: Any, name: str) -> None:
    """Return unless a model's answer to a row depends on others; new rows have no past.

    Raises:
        InvalidInputError: it does.
    """
    if reads_other_rows(estimator):
        raise InvalidInputError(
            f"{name} looks back at earlier rows of a time series, and such models cannot be "
            "compressed. Train one without a past (`horizon: 0`), and compress that."
        )


def _check_score(case: Case) -> None:
    """Refuse rows that give another score than was recorded: some of them it may have learnt."""
    metric, summary = case.job.table.metric, case.origin.summary
    recorded = summary.holdout.get(metric.name)
    found = metric.compute(case.given)
    if recorded is None or abs(found - recorded.estimate) > SAME * max(1.0, abs(found)):
        was = "none" if recorded is None else f"{recorded.estimate:.6g}"
        raise ConflictError(
            f"The held-out rows give version {case.origin.version} of {case.name!r} "
            f"{metric.name} {found:.6g}, and {was} was recorded; they are not the same rows. "
            "Train it again with this release, then compress that."
        )
