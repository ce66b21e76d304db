"""What an alert sets off: a message, a training, the way back. Each once, whoever carries it out.

Nothing here has rights of its own: a training is queued and an alias moved as the monitor's owner,
by the doors that agents use, under the same rules; where those ask for a person, one is asked.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace

from ml_orchestrator.errors import (
    ApprovalRequiredError,
    ConflictError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.health.monitors.alerts import Owed
from ml_orchestrator.health.monitors.models import MonitorSpec
from ml_orchestrator.health.monitors.store import Monitor, MonitorStore
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
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.text import cut

__all__ = ["AlertActions"]

MAX_REASON = 2_000
MAX_SAID = 1_900
N_MOVES = 20
_log = logging.getLogger(__name__)


class AlertActions:
    """Carries out what the alerts of a monitor owe.

    A refusal is told and on record, and not tried again; what is away, or waits for a person, is
    tried with the next look.
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
                said, is_over = self._done(monitor, owed, action)
                done += [] if said is None else [said]
                if not is_over:
                    break  # the rest in its order, later
        return done

    def _done(self, monitor: Monitor, owed: Owed, action: str) -> tuple[str | None, bool]:
        """Return what is new about an action, and whether it is over."""
        teller = AlertTeller(self._database, owed.alert, (*monitor.spec.tell, owed.owner))
        try:
            said = self._act(monitor.spec, owed, action, teller)
        except UnavailableError as error:
            _log.warning("Alert %s waits with %s: %s", owed.alert.alert_id, action, error)
            return None, False
        except ApprovalRequiredError as error:
            return self._waits(owed, action, error, teller), False
        except OrchestratorError as error:
            said = f"{action} was refused: {error}"
            teller.event(action, said, priority="urgent")
        self._store.note(owed.alert.alert_id, said, done=action)
        return said, True

    def _waits(
        self, owed: Owed, action: str, error: ApprovalRequiredError, teller: AlertTeller
    ) -> str | None:
        """Say once that a person is asked; None where it was said before."""
        said = f"A person must approve {action}: {error} The first look after that carries it out."
        if any(said[:MAX_SAID] in event for event in owed.alert.events):
            return None
        teller.event(action, said)
        self._store.note(owed.alert.alert_id, said[:MAX_SAID])
        return said

    def _act(self, spec: MonitorSpec, owed: Owed, action: str, teller: AlertTeller) -> str:
        match action:
            case "tell":
                return f"Told {teller.opened(spec.watch, owed.actions)}."
            case "tell_joined":
                return f"Told {teller.joined()} what joined."
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
        desk = open_registry(self._settings, self._database)
        if (done := _move_of(desk, model, alias, reason)) is not None:
            return done
        running = open_journal(self._database).latest(model)
        if running is not None and not running.is_over and running.alias == alias:
            return self._told_back(running, owed, reason, desk)
        request = MoveRequest(
            model=model,
            alias=alias,
            version="previous",
            expected_version=_pinned(desk, model, alias, owed),
            actor=owed.owner,
            reason=reason,
            evidence=cut(owed.alert.summary, MAX_REASON),
        )
        planned = desk.mover.plan(request).plan
        if not planned.is_rollback:
            raise ConflictError(
                f"The last move of @{alias} of {model!r} was a way back itself, so before "
                f"{_shown(planned.from_version)} there is none; nothing was moved. Name the "
                "version to registry_move_alias if another one is better."
            )
        moved = desk.mover.move(replace(request, plan_digest=planned.digest))
        return _went_back(model, alias, moved.previous_version, moved.plan.to_version)

    def _told_back(self, running: Rollout, owed: Owed, reason: str, desk: RegistryDesk) -> str:
        if running.created_at > owed.alert.opened_at:
            return (
                f"Roll-out {running.id} began after the alert opened, so it was let be and nothing "
                "was moved; deployment_decide takes it back."
            )
        RolloutDesk(self._database, lambda: desk).decide(
            running.id,
            "rollback",
            actor=owed.owner,
            reason=cut(f"{reason} {owed.alert.summary}", MAX_REASON),
            key=f"@{owed.alert.alert_id}-back",
        )
        return f"Roll-out {running.id} of {running.model!r} was told to go back."

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


def _pinned(desk: RegistryDesk, model: str, alias: str, owed: Owed) -> int | None:
    """Return where the alias pointed when the alert opened, if it still does."""
    pinned = owed.version
    if pinned is None:
        raise ConflictError(
            f"It is not on record where @{alias} of {model!r} pointed when the alert opened, so "
            "nothing was moved; registry_move_alias takes it back by hand."
        )
    current = desk.store.alias_version(model, alias)
    if current is None or current != pinned:
        raise ConflictError(
            f"@{alias} of {model!r} was at {_shown(pinned or None)} when the alert opened and is "
            f"at {_shown(current)} now; nothing was moved."
        )
    return current


def _shown(version: int | None) -> str:
    return "none" if version is None else f"version {version}"


def _went_back(model: str, alias: str, old: int | None, new: int | None) -> str:
    to = "unset" if new is None else f"version {new}"
    return f"@{alias} of {model!r} went back from version {old} to {to}."


def _run_id(alert_id: str) -> str:
    return f"run-{hashlib.sha256(f'{alert_id}-retrain'.encode()).hexdigest()[:16]}"
