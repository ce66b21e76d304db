"""Opening what a roll-out needs, as the settings say."""

import uuid
from datetime import UTC, datetime

from ml_orchestrator.orchestration.announcing import announce_rollout, outbox_of
from ml_orchestrator.serving.absent import NoServer
from ml_orchestrator.serving.address import find_address
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.control import ServingControl
from ml_orchestrator.serving.launch import start_server
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.journal import RolloutJournal
from ml_orchestrator.serving.rollout.outcomes import SqlOutcomes
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["open_journal", "open_outcomes", "reach_server"]


def open_journal(database: Database) -> RolloutJournal:
    """Return the record of roll-outs."""
    return RolloutJournal(
        database,
        changed=announce_rollout(outbox_of("roll-out")),
        new_id=lambda: f"rollout-{uuid.uuid4().hex[:12]}",
        now=lambda: datetime.now(UTC),
    )


def open_outcomes(database: Database) -> SqlOutcomes:
    """Return the record of what came of predictions."""
    return SqlOutcomes(database, now=lambda: datetime.now(UTC))


def reach_server(settings: Settings, rollout: Rollout) -> ServingControl:
    """Return the control of the model's server, started with what should answer if none runs.

    None is started where nothing should answer: a first version on its way back.

    Raises:
        UnavailableError: it does not come up.
    """
    if rollout.state == "rolling_back" and rollout.from_version is None:
        address = find_address(settings.home, rollout.model)
        return NoServer(rollout.model) if address is None else HttpServingControl(address)
    expected = rollout.progress.pointer
    if rollout.state == "rolling_back" or expected is None:
        expected = rollout.from_version
    version = rollout.version if expected is None else expected
    return HttpServingControl(
        start_server(
            settings,
            rollout.model,
            version=version,
            alias=rollout.alias,
            isolate=rollout.spec.isolate,
        )
    )
