"""What a bus needs of the database; ``_connect.connect`` gives it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ml_orchestrator.orchestration.events.definition import Event
from ml_orchestrator.orchestration.events.feed import Glance, LogPort
from ml_orchestrator.orchestration.events.pump import TurnPort

__all__ = ["Connected", "DurablePort"]


class DurablePort(TurnPort, Protocol):
    """The rows of a durable consumer, which can be counted, too."""

    def n_behind(self) -> int:
        """Return how many events wait for the consumer."""
        ...


@dataclass(frozen=True, slots=True)
class Connected:
    """A log that is open. What is called may block, and is thread-safe.

    Attributes:
        log: The log.
        glance: Says whether there is news.
        turns: Of each durable consumer, by name.
        publish: Publishes an event in a transaction of its own.
        sweep: Deletes what is older than so many days, and returns how many that were.
        n_dead: Counts dead letters.
        longest_pause_s: Between two looks.
        attentive_pause_s: The same while somebody listens.
    """

    log: LogPort
    glance: Glance
    turns: Mapping[str, DurablePort]
    publish: Callable[[Event], object]
    sweep: Callable[[float], int]
    n_dead: Callable[[], int]
    longest_pause_s: float
    attentive_pause_s: float
