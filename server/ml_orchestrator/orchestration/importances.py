"""What a registered model relies on, from the summary of its training."""

import json
from collections.abc import Mapping

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.models import SUMMARY_FILE

__all__ = ["importances_of", "version_and_run"]


def importances_of(settings: Settings, model: str) -> tuple[str, Mapping[str, float]]:
    """Return a version's name and the importance of each of its columns.

    They are empty where no training of ours made it. Arguments and errors as `version_and_run`.
    """
    version, run_id = version_and_run(settings, model)
    if run_id is None:
        return version, {}
    tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.home)
    try:
        summary = json.loads(tracker.read_file(run_id, SUMMARY_FILE))
        return version, {i["feature"]: float(i["loss"]) for i in summary["importances"]}
    except (NotFoundError, ValueError, TypeError, KeyError):
        return version, {}  # another program made it; `weigh` says that nothing is known


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
