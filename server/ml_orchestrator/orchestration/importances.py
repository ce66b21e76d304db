"""What a registered model relies on, from what its training left."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.serving.log_files import OwnColumns
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.models import SPEC_FILE, SUMMARY_FILE

__all__ = ["Reliance", "reliance_of", "version_and_run"]


@dataclass(frozen=True, slots=True)
class Reliance:
    """What is known of a version; nothing beside its name where no training of ours made it.

    Attributes:
        version: ``NAME/VERSION``.
        importances: of each column, on held-out rows.
        ignored: columns that its training was told to leave out.
        target: what it predicts; None if unknown.
    """

    version: str
    importances: Mapping[str, float]
    ignored: frozenset[str]
    target: str | None = None

    def outcomes(self, columns: Collection[str]) -> frozenset[str]:
        """Return which columns hold its target, or what it said as its serving log calls that.

        >>> sorted(Reliance("m/1", {"age": 1.0}, frozenset(), "left").outcomes(["age", "left"]))
        ['left']
        """
        own = OwnColumns.among(columns)
        said = {self.target, own.prediction, *own.probabilities(columns).values()}
        return frozenset(name for name in columns if name in said and name not in self.importances)


def reliance_of(settings: Settings, model: str) -> Reliance:
    """Return what a version relies on, and what not; arguments and errors as `version_and_run`."""
    version, run_id = version_and_run(settings, model)
    if run_id is None:
        return Reliance(version, {}, frozenset())
    tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.home)
    spec = _spec(tracker, run_id)
    target = spec.get("target")
    known = target if isinstance(target, str) else None
    return Reliance(version, _importances(tracker, run_id), _ignored(spec), known)


def _importances(tracker: MlflowTracker, run_id: str) -> Mapping[str, float]:
    try:
        summary = _file(tracker, run_id, SUMMARY_FILE)
        return {i["feature"]: float(i["loss"]) for i in summary["importances"]}
    except (NotFoundError, ValueError, TypeError, KeyError):
        return {}  # another program made it; `weigh` says that nothing is known


def _spec(tracker: MlflowTracker, run_id: str) -> Mapping[str, Any]:
    try:
        spec = _file(tracker, run_id, SPEC_FILE)["spec"]
        return spec if isinstance(spec, dict) else {}
    except (NotFoundError, ValueError, TypeError, KeyError):
        return {}  # likewise


def _ignored(spec: Mapping[str, Any]) -> frozenset[str]:
    types = spec.get("column_types")
    kinds = types.items() if isinstance(types, dict) else ()
    return frozenset(name for name, kind in kinds if kind == "ignore")


def _file(tracker: MlflowTracker, run_id: str, name: str) -> Any:
    return json.loads(tracker.read_file(run_id, name))


def version_and_run(settings: Settings, model: str) -> tuple[str, str | None]:
    """Return a version's name, ``NAME/VERSION``, and the MLflow run that made it.

    Args:
        settings: where the registry is.
        model: ``NAME@ALIAS`` or ``NAME/VERSION``.

    Raises:
        InvalidInputError: it is not written like that.
        NotFoundError: no such model, alias or version.
        UnavailableError: MLflow cannot answer.
    """
    at = max(model.rfind("@"), model.rfind("/"))
    if at < 1 or at == len(model) - 1:
        raise InvalidInputError(
            f"{model[:80]!r} names no version; write NAME@ALIAS or NAME/VERSION, such as "
            "churn@champion or churn/3."
        )
    name = model[:at]
    with registry_for_a_step(settings) as desk:
        number = desk.resolve(name, model[at + 1 :])
        return f"{name}/{number}", desk.store.version(name, number).run_id
