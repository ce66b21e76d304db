"""What a process and a durable consumer's rows in the database tell one another."""

from dataclasses import dataclass

from ml_orchestrator.orchestration.events.definition import StoredEvent
from ml_orchestrator.orchestration.events.kinds import DeliveryFailed

__all__ = ["Rooms", "Settled", "Taken", "Turn"]


@dataclass(frozen=True, slots=True)
class Settled:
    """How one delivery ended.

    Attributes:
        seq: Of its event.
        attempts: How many there were, this one included; fewer for one that was handed back.
        state: ``done``, ``waiting`` to be tried again, or ``dead``.
        pause_s: For one that waits, how long from now.
        error: Why it is not done.
        notice: Published with it, in the same transaction.
    """

    seq: int
    attempts: int
    state: str
    pause_s: float = 0.0
    error: str = ""
    notice: DeliveryFailed | None = None


@dataclass(frozen=True, slots=True)
class Rooms:
    """For how many deliveries there is room: of high priority and above, and of the rest."""

    high: int
    rest: int


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that is handed out; ``attempt`` counts from 1."""

    event: StoredEvent
    attempt: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn brought.

    Attributes:
        taken: To be handled now, high priorities first.
        is_holder: Whether this process works for the consumer; if not, what it settled was not
            taken in.
        due_in_s: When there may be something to take again; None: when something is published.
    """

    taken: tuple[Taken, ...]
    is_holder: bool
    due_in_s: float | None
