"""What an alert sets off: a message, a training, the way back. Each once, whoever carries it out.

Nothing here has rights of its own: a training is queued and an alias moved as the monitor's owner,
by the doors that agents use, under the same rules; where those ask for a person, one is asked.
"""

import hashlib
import logging
from collections.abc import Callable

from ml_orchestrator.errors import ApprovalRequiredError, OrchestratorError, UnavailableError
from ml_orchestrator.health.monitors.models import MonitorSpec
from ml_orchestrator.health.monitors.store import Monitor, MonitorStore, Owed
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.monitors.retraining import retraining_of
from ml_orchestrator.orchestration.monitors.telling import AlertTeller
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.rollouts.opening import open_journal
from ml_orchestrator.orchestration.schedules.sweeping import Starter
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.requests import MoveRequest
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["AlertActions"]

MAX_REASON = 2_000
N_MOVES = 20
_log = logging.getLogger(__name__)


class AlertActions:
    """Carries out what the alerts of a monitor owe.

    A refusal is told and on record, and not tried again; what is away is tried with the next look.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: MonitorStore,
        *,
        client: Callable[[], Starter],
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._client = client

    def settle(self, monitor: Monitor) -> list[str]:
        """Do what is owed, in order, and return what was done."""
        done: list[str] = []
        for owed in self._store.owed(monitor.name):
            for action in owed.actions:
                said = self._done(monitor, owed, action)
                if said is None:
                    break  # the rest in its order, later
                done.append(said)
        return done

    def _done(self, monitor: Monitor, owed: Owed, action: str) -> str | None:
        teller = AlertTeller(self._database, owed.alert, (*monitor.spec.tell, owed.owner))
        try:
            said = self._act(monitor.spec, owed, action, teller)
        except UnavailableError as error:
            _log.warning("Alert %s waits with %s: %s", owed.alert.alert_id, action, error)
            return None
        except OrchestratorError as error:
            said = f"{action} was refused: {error}"
            teller.event(action, said, priority="urgent")
        self._store.note(owed.alert.alert_id, said, done=action)
        return said

    def _act(self, spec: MonitorSpec, owed: Owed, action: str, teller: AlertTeller) -> str:
        match action:
            case "tell":
                return f"Told {teller.opened(spec.watch, owed.actions)}."
            case "tell_resolved":
                return f"Told {teller.resolved()} that it is over."
            case "retrain":
                said = self._retrain(spec, owed)
            case "roll_back":
                said = self._roll_back(spec, owed)
            case _:
                return f"{action} is not known to this release; nothing was done."
        teller.event(action, said)
        return said

    def _retrain(self, spec: MonitorSpec, owed: Owed) -> str:
        refusal = self._refusal()
        if refusal or spec.retrain is None:
            return refusal or "The monitor no longer asks for a training."
        name, params = retraining_of(spec, alert_id=owed.alert.alert_id)
        workflow = WORKFLOWS[name]
        checked = validated(workflow, params)
        client, run_id = self._client(), _run_id(owed.alert.alert_id)
        if workflow.check and not client.has(run_id):
            resolve(workflow.check)(self._settings, checked)
        client.start(run_id, workflow, checked, actor=owed.owner)
        return f"Training {run_id} was started ({name} of {params['model']!r})."

    def _roll_back(self, spec: MonitorSpec, owed: Owed) -> str:
        refusal = self._refusal()
        if refusal or spec.roll_back is None:
            return refusal or "The monitor no longer asks for the way back."
        model, alias = spec.roll_back.model, spec.roll_back.alias
        reason = f"Alert {owed.alert.alert_id} of monitor {owed.alert.monitor}."
        running = open_journal(self._database).latest(model)
        desk = open_registry(self._settings, self._database)
        if running is not None and not running.is_over:
            RolloutDesk(self._database, lambda: desk).decide(
                running.id,
                "rollback",
                actor=owed.owner,
                reason=f"{reason} {owed.alert.summary}"[:MAX_REASON],
                key=f"@{owed.alert.alert_id}-back",
            )
            return f"Roll-out {running.id} of {model!r} was told to go back."
        if (done := _move_of(desk, model, alias, reason)) is not None:
            return done
        request = MoveRequest(
            model=model,
            alias=alias,
            version="previous",
            expected_version=desk.store.alias_version(model, alias),
            actor=owed.owner,
            reason=reason,
            evidence=owed.alert.summary[:MAX_REASON],
        )
        try:
            moved = desk.mover.move(request)
        except ApprovalRequiredError as error:
            return f"A person must approve the way back: {error}"
        return _went_back(model, alias, moved.previous_version, moved.plan.to_version)

    def _refusal(self) -> str | None:
        if self._settings.mode == "read-only":
            return "Nothing was set off: this installation runs read-only."
        return None


def _move_of(desk: RegistryDesk, model: str, alias: str, reason: str) -> str | None:
    """Return what a worker that died before it could say so did for this alert."""
    for move in desk.mover.history(model, alias, limit=N_MOVES).moves:
        if move.reason == reason and move.state == "applied":
            return _went_back(model, alias, move.from_version, move.to_version)
    return None


def _went_back(model: str, alias: str, old: int | None, new: int | None) -> str:
    to = "unset" if new is None else f"version {new}"
    return f"@{alias} of {model!r} went back from version {old} to {to}."


def _run_id(alert_id: str) -> str:
    return f"run-{hashlib.sha256(f'{alert_id}-retrain'.encode()).hexdigest()[:16]}"
