"""What an alert would set off, checked when the monitor is set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_orchestrator.datasets.sources import BUILTIN_PREFIX, load_head
from ml_orchestrator.errors import NotFoundError, UnavailableError
from ml_orchestrator.health.monitors.models import MonitorSpec, Retraining, RollBack
from ml_orchestrator.health.monitors.watches import SERVING_PREFIX, is_log
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.monitors.faults import Faults
from ml_orchestrator.orchestration.monitors.retraining import retraining_of
from ml_orchestrator.orchestration.rollouts.desk import read_spec as read_roll_out
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.registry.names import check_alias, check_model
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["check_actions"]

ROLES = ("target", "time_column", "group_column", "weight_column")
HEAD_ROWS = 100


def check_actions(
    faults: Faults, settings: Settings, database: Database, spec: MonitorSpec
) -> None:
    """Collect what would keep an alert from setting off what it should."""
    if spec.retrain is not None:
        _check_retraining(faults, settings, spec, spec.retrain)
    if spec.roll_back is not None:
        _check_way_back(faults, settings, database, spec.roll_back)
    if is_log(spec.watch):
        model = spec.watch.removeprefix(SERVING_PREFIX)
        if not _is_known(faults, settings, database, model, None):
            faults.notices.append(f"No model {model!r} is registered yet.")


def _check_retraining(
    faults: Faults, settings: Settings, spec: MonitorSpec, wanted: Retraining
) -> None:
    params: Mapping[str, Any] = {}
    with faults.collected():
        name, given = retraining_of(spec, alert_id="alert-of-a-dry-run")
        params = validated(WORKFLOWS[name], given)
    with faults.collected():
        check_alias(wanted.alias)
    if wanted.roll_out is not None:
        with faults.collected():
            read_roll_out(wanted.roll_out)
    source = params.get("source")
    if isinstance(source, str) and not source.startswith(BUILTIN_PREFIX):
        with faults.collected():
            _check_training_data(faults, settings, source, params)


def _check_training_data(
    faults: Faults, settings: Settings, source: str, params: Mapping[str, Any]
) -> None:
    try:
        head = load_head(source, roots=settings.roots, n_rows=HEAD_ROWS)
    except NotFoundError:
        faults.notices.append(f"{source}, which an alert would train on, is not there yet.")
        return
    named = {role: params.get(role) for role in ROLES}
    gone = {role: name for role, name in named.items() if name and name not in head.frame.columns}
    if gone:
        listed = ", ".join(f"{role} {name!r}" for role, name in gone.items())
        faults.add(
            f"{source!r}, which an alert would train on, has no column for {listed}; it has "
            f"{', '.join(head.frame.columns[:30])}."
        )


def _check_way_back(
    faults: Faults, settings: Settings, database: Database, wanted: RollBack
) -> None:
    n_before = len(faults.found)
    with faults.collected():
        check_model(wanted.model)
    with faults.collected():
        check_alias(wanted.alias)
    if len(faults.found) > n_before:
        return
    if not _is_known(faults, settings, database, wanted.model, wanted.alias):
        faults.notices.append(
            f"@{wanted.alias} of {wanted.model!r} points at no version yet, so that there is "
            "nothing to take back."
        )


def _is_known(
    faults: Faults, settings: Settings, database: Database, model: str, alias: str | None
) -> bool:
    """Whether a model is registered, and its alias set; a registry that cannot say is noted."""
    if _has_no_registry(settings):
        return False
    try:
        store = open_registry(settings, database).store
        if alias is not None:
            return store.alias_version(model, alias) is not None
        return bool(store.versions(model, limit=1, cursor=None)[0])
    except NotFoundError:
        return False
    except UnavailableError as error:
        faults.notices.append(f"Whether {model!r} is registered is not known: {error}")
        return True


def _has_no_registry(settings: Settings) -> bool:
    """Whether the registry is a file of this data directory that is not there yet."""
    path = Path(settings.home) / "mlflow.db"
    is_own = settings.mlflow_registry_uri == f"sqlite:///{path}"
    return is_own and not path.exists()
