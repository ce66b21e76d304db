"""A schedule as it is kept, and a time at which it came due."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from ml_orchestrator.orchestration.schedules.cadence import Cadence

__all__ = ["Due", "Schedule"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who wants what, and when; times in UTC, ``last_due_at`` None before the first one."""

    kind: str
    key: str
    owner: str
    cadence: Cadence
    is_enabled: bool
    next_due_at: datetime
    last_due_at: datetime | None
    n_due: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """One time that came due, for the worker that has claimed it.

    Attributes:
        number: counts the times of this schedule, from 1.
        run_id: names what is started for it; the same whoever starts it.
    """

    kind: str
    key: str
    owner: str
    due_at: datetime
    number: int
    created_at: str

    @property
    def run_id(self) -> str:
        """The id of the run that this time is worth."""
        text = "\0".join(("schedule", self.kind, self.key, self.created_at, str(self.number)))
        return f"run-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
