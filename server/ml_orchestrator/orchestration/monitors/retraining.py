"""The training that an alert asks for, and the roll-out of its version behind gates."""

from dataclasses import dataclass
from typing import Any

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.health.monitors.models import MonitorSpec
from ml_orchestrator.health.monitors.watches import is_one_table
from ml_orchestrator.health.options import BASELINE_PREFIX
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.monitors.opening import open_monitors
from ml_orchestrator.orchestration.monitors.telling import AlertTeller
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.workflows import carry_out
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

__all__ = ["NewVersion", "hand_over_version", "retraining_of"]


def retraining_of(spec: MonitorSpec, *, alert_id: str) -> tuple[str, dict[str, Any]]:
    """Return the workflow and the parameters of the training that a monitor asks for.

    What is watched is trained on, and the reference compared with, where that is possible and the
    parameters say nothing else.
    """
    wanted = spec.retrain
    if wanted is None:
        raise ValueError("the monitor asks for no training")
    params: dict[str, Any] = {
        **wanted.params,
        "alert_id": alert_id,
        "roll_out": wanted.roll_out,
        "roll_out_alias": wanted.alias,
    }
    if is_one_table(spec.watch):
        params.setdefault("source", spec.watch)
    is_data_set = spec.reference is not None and not spec.reference.startswith(BASELINE_PREFIX)
    if wanted.workflow == "drift-retrain" and is_data_set:
        params.setdefault("reference", spec.reference)
    return f"{wanted.workflow}-on-alert", params


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that an alert had trained; ``roll_out`` None leaves it at ``@challenger``."""

    run_id: str
    actor: str
    model: str
    version: int
    alert_id: str
    roll_out: dict[str, Any] | None
    alias: str


def hand_over_version(settings: Settings, new: NewVersion) -> dict[str, Any]:
    """Tell of a new version and, if asked, start its roll-out; done twice, it is done once.

    A roll-out that may not start is told and on record; the version stays ``@challenger``.
    """
    database = open_database(settings.state_url, settings.home)
    rollout_id, refusal = None, None
    said = f"Version {new.version} of {new.model!r} was trained by {new.run_id}, as @challenger."
    try:
        if new.roll_out is not None:
            try:
                rollout_id = _roll_out(settings, database, new, new.roll_out)
                said += f" Roll-out {rollout_id} brings it to @{new.alias} if its gates let it."
            except UnavailableError:
                raise
            except OrchestratorError as error:
                refusal = str(error)
                said += f" It is not rolled out: {refusal}"
        _tell(database, new, said)
    finally:
        database.close()
    return {"rollout_id": rollout_id, "refused_because": refusal}


def _roll_out(settings: Settings, database: Database, new: NewVersion, spec: dict[str, Any]) -> str:
    registry = open_registry(settings, database)
    desk, key = RolloutDesk(database, lambda: registry), f"@{new.run_id}-roll-out"
    rollout_id = desk.started_with(key, actor=new.actor)
    if rollout_id is None:
        plan = desk.plan(
            new.model,
            new.version,
            alias=new.alias,
            expected_version=registry.store.alias_version(new.model, new.alias),
            spec=spec,
            actor=new.actor,
        )
        reason = f"Trained by {new.run_id} because of {new.alert_id}."
        rollout_id = desk.start(plan, actor=new.actor, reason=reason, key=key)
    client = RunClient(settings)
    try:
        carry_out(client, rollout_id, actor=new.actor)
    finally:
        client.close()
    return rollout_id


def _tell(database: Database, new: NewVersion, said: str) -> None:
    store = open_monitors(database)
    alert = store.alert(new.alert_id)
    if alert is None:
        return
    monitor = store.find(alert.monitor)
    readers = (*(monitor.spec.tell if monitor else ()), new.actor)
    AlertTeller(database, alert, readers).event("trained", said, priority="medium")
    if not any(said in event for event in alert.events):
        store.note(new.alert_id, said)
