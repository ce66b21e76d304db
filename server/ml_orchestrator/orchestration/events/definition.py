"""What an event is: a frozen record of a registered kind, and the envelope it travels in."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError, NotFoundError

__all__ = [
    "EVENTS",
    "Envelope",
    "Event",
    "EventKind",
    "Priority",
    "StoredEvent",
    "encode",
    "event",
    "unseal",
]

MOST_BYTES = 32_768  # of a payload, as JSON
MOST_KEY = 512  # characters


class Priority(IntEnum):
    """Who goes first, and who goes overboard last; the numbers are those of messages."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


@dataclass(frozen=True, slots=True)
class EventKind:
    """What all events of one type share.

    Attributes:
        name: Subject and what happened to it, as ``run.finished``.
        version: Grows when what is written can no longer be read by the model of before.
        priority: Unless whoever publishes says otherwise.
        about: Names the key; fields of the event stand in braces, as ``run:{run_id}``.
    """

    name: str
    version: int
    priority: Priority
    about: str


class Event(BaseModel):
    """Base of every event: what happened, in the past tense, with no secrets in it.

    Fields may be added with a default; any other change takes a new ``version``. Fields that a
    release does not know are left out when it reads.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)
    event_kind: ClassVar[EventKind]

    @property
    def key(self) -> str:
        """What it is about; events of one key can be handled in order."""
        return self.event_kind.about.format_map(dict(self))[:MOST_KEY]


E = TypeVar("E", bound=type[Event])
EVENTS: Catalog[type[Event]] = Catalog("event")


def event(
    name: str, *, about: str = "", version: int = 1, priority: Priority = Priority.NORMAL
) -> Callable[[E], E]:
    """Return a decorator that registers a model as the event ``name``.

    Raises:
        ValueError: the name is taken (a mistake in the program).

    Example:
        >>> @event("kettle.boiled", about="kettle:{kettle}")
        ... class KettleBoiled(Event):
        ...     kettle: str
        >>> KettleBoiled(kettle="blue").key
        'kettle:blue'
    """

    def register(model: E) -> E:
        model.event_kind = EventKind(name, version, priority, about)
        EVENTS.register(name)(model)
        return model

    return register


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event on its way.

    Attributes:
        event: What happened.
        id: The same however often it is delivered; what a handler remembers to act once.
        key: What it is about.
        priority: Of this one event.
        at: When it was published, ISO 8601 UTC.
        source: The process that published it.
        seq: Its place in the log; None for one that never left its process.
    """

    event: Event
    id: str
    key: str
    priority: Priority
    at: str
    source: str
    seq: int | None = None

    @property
    def name(self) -> str:
        """Name of its kind."""
        return self.event.event_kind.name


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it stands in the log; its payload is JSON text that was not looked at."""

    seq: int
    id: str
    name: str
    version: int
    key: str
    priority: int
    at: str
    source: str
    payload: str


def encode(event: Event) -> str:
    """Return an event's payload as JSON.

    Raises:
        InvalidInputError: it is larger than ``MOST_BYTES``; what is large is named, not carried.
    """
    text = event.model_dump_json()
    if len(text.encode()) > MOST_BYTES:
        raise InvalidInputError(
            f"An event {event.event_kind.name!r} of {len(text.encode()):,} bytes is too large; "
            f"at most {MOST_BYTES:,}. Publish where the content is, and not the content."
        )
    return text


def unseal(stored: StoredEvent) -> Envelope:
    """Return what a stored event says.

    Raises:
        InvalidInputError: it is of a kind or version that this release does not know, or its
            payload is not what the kind says.
    """
    try:
        model = EVENTS[stored.name]
    except NotFoundError as error:
        raise InvalidInputError(f"Event {stored.seq} cannot be read: {error}") from error
    if stored.version > model.event_kind.version:
        raise InvalidInputError(
            f"Event {stored.seq} ({stored.name}) has version {stored.version}; this release reads "
            f"up to {model.event_kind.version}. Upgrade ml-orchestrator, then replay it."
        )
    try:
        content = model.model_validate(json.loads(stored.payload))
    except (ValueError, ValidationError) as error:
        raise InvalidInputError(
            f"Event {stored.seq} ({stored.name}) holds something else than its kind says."
        ) from error
    return Envelope(
        event=content,
        id=stored.id,
        key=stored.key,
        priority=Priority(min(max(stored.priority, Priority.LOW), Priority.URGENT)),
        at=stored.at,
        source=stored.source,
        seq=stored.seq,
    )
