"""Bring a version before users by a roll-out of its own, and wait for how it ends."""

import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from ml_orchestrator.errors import ConflictError, UnavailableError
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.orchestration.workflows import carry_out
from ml_orchestrator.serving.rollout.models import RolloutStatus
from ml_orchestrator.storage.engine import Database, open_database

__all__ = ["deploy"]

LOOK_S = 0.5


def deploy(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return how the roll-out ended; killed on the way, it follows the one that it began.

    Tried again after one that did not promote the version, it begins another.

    Raises:
        ConflictError: something stood in its way, or it went back.
    """
    database = open_database(context.settings.state_url, context.settings.home)
    client = RunClient(context.settings)
    try:
        desk = RolloutDesk(database, lambda: open_registry(context.settings, database))
        rollout_id = _begun(context, params, desk, database)
        carry_out(client, rollout_id, actor=context.actor)
        status = _status(context, desk, rollout_id, 0.0)
        while not status.is_over:
            time.sleep(LOOK_S)
            status = _status(context, desk, rollout_id, status.fraction)
            waits = f"{status.state}; needs: {status.needs}" if status.needs else status.state
            context.report(status.fraction, f"roll-out {rollout_id} is {waits}")
    finally:
        client.close()
        database.close()
    if status.state != "promoted":
        _told(context, rollout_id).touch()
        raise ConflictError(f"Roll-out {rollout_id} was {status.state}: {status.reason}")
    return {"rollout_id": rollout_id, "state": status.state, "reason": status.reason}


def _begun(
    context: StepContext, params: Mapping[str, Any], desk: RolloutDesk, database: Database
) -> str:
    """Return the roll-out to follow: the one begun before, unless its failure was told already."""
    for number in count(1):
        key = f"@{context.effect_id}" + (f".{number}" if number > 1 else "")
        known = desk.started_with(key, actor=context.actor)
        if known is None:
            break
        if not _told(context, known).exists():
            return known
    current = open_registry(context.settings, database).store.alias_version(
        params["model"], params["alias"]
    )
    plan = desk.plan(
        params["model"],
        params["version"],
        alias=params["alias"],
        expected_version=current,
        spec=params["spec"],
        actor=context.actor,
    )
    return desk.start(plan, actor=context.actor, reason=params["reason"], key=key)


def _status(
    context: StepContext, desk: RolloutDesk, rollout_id: str, fraction: float
) -> RolloutStatus:
    """Return where the roll-out is, once the database says so: it goes on from ``fraction``."""
    while True:
        try:
            return desk.status(rollout_id, n_events=1)
        except UnavailableError as error:
            context.report(fraction, f"roll-out {rollout_id} cannot be followed now: {error}")
        time.sleep(LOOK_S)


def _told(context: StepContext, rollout_id: str) -> Path:
    """Return the file that is there once the step has failed for this roll-out."""
    return context.folder / f"{rollout_id}.told"
