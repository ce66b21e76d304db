"""What a subscriber asks for, and what it promises."""

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.events.definition import Envelope, Event, Priority
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.retrying import Retrying

__all__ = ["Delivery", "Handler", "Outcome", "Subscription"]

Handler: TypeAlias = Callable[[Envelope], Awaitable[None]] | Callable[[Envelope], None]
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who wants which events, and how they are handled.

    Attributes:
        name: Small letters, digits and ``-``. A durable one is known by it across processes.
        events: The types wanted; none is all of them.
        handle: Called with each envelope; a plain function gets a thread of its own, a coroutine
            function runs on the loop of the bus and must not block it. It may be called twice
            with one ``id``, so it acts once for each.
        is_durable: One process at a time handles each event at least once, and what was not
            handled waits in the database. Otherwise each process handles what happens while it
            runs, and what cannot be kept up with is shed.
        in_order: Events of one key are handled one after the other, as they were published.
        room: How many may wait in this process.
        limits: How many are handled at once; those of high priority and above may be ``most``
            whatever was learnt.
        retrying: What is done after a failure.
        timeout_s: After this a delivery has failed; its handler is cancelled, or its thread left
            alone.
        starts: Where a durable one begins when its name is new: with what is published from
            ``now`` on, or with the oldest event that is still kept.
    """

    name: str
    events: tuple[type[Event], ...]
    handle: Handler
    is_durable: bool = False
    in_order: bool = False
    room: int = 256
    limits: LimitRange = field(default_factory=LimitRange)
    retrying: Retrying = field(default_factory=Retrying)
    timeout_s: float = 30.0
    starts: Literal["now", "beginning"] = "now"
    event_names: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "event_names", tuple(sorted(_names(self.events))))
        if _NAME.fullmatch(self.name) is None:
            raise InvalidInputError(
                f"{self.name[:80]!r} is no name of a subscriber: small letters, digits and '-', "
                "beginning with a letter, at most 64."
            )
        if not 1 <= self.room <= 100_000 or not 0.01 <= self.timeout_s <= 3_600:
            raise InvalidInputError(
                f"Subscriber {self.name!r} needs room for 1 to 100,000 events and a timeout of "
                f"0.01 to 3,600 s; found {self.room} and {self.timeout_s:g}."
            )

    @property
    def is_coroutine(self) -> bool:
        """Whether the handler runs on the loop of the bus."""
        return inspect.iscoroutinefunction(self.handle) or inspect.iscoroutinefunction(
            getattr(self.handle, "__call__", None)  # noqa: B004 an object with such a method
        )

    def wants(self, name: str) -> bool:
        """Whether events of this name are wanted."""
        return not self.event_names or name in self.event_names


@dataclass(slots=True)
class Delivery:
    """One event for one subscriber; ``attempt`` counts from 1, ``arrived_at`` is monotonic."""

    envelope: Envelope
    attempt: int = 1
    arrived_at: float = 0.0

    @property
    def priority(self) -> Priority:
        """Of its event."""
        return self.envelope.priority


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery ended: well without ``error``; ``is_final``: trying again cannot help."""

    error: str | None = None
    is_final: bool = False


def _names(events: tuple[type[Event], ...]) -> set[str]:
    return {kind.event_kind.name for kind in events}
