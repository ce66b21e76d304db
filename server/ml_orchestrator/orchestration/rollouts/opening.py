"""Opening what a roll-out needs, as the settings say."""

import uuid
from datetime import UTC, datetime

from ml_orchestrator.serving.rollout.journal import RolloutJournal
from ml_orchestrator.serving.rollout.outcomes import SqlOutcomes
from ml_orchestrator.storage.engine import Database

__all__ = ["open_journal", "open_outcomes"]


def open_journal(database: Database) -> RolloutJournal:
    """Return the record of roll-outs."""
    return RolloutJournal(
        database,
        new_id=lambda: f"rollout-{uuid.uuid4().hex[:12]}",
        now=lambda: datetime.now(UTC),
    )


def open_outcomes(database: Database) -> SqlOutcomes:
    """Return the record of what came of predictions."""
    return SqlOutcomes(database, now=lambda: datetime.now(UTC))
