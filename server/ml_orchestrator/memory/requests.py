"""What the store is asked: where records come from, which are meant."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["UNKNOWN", "Filters", "Origin", "Selection"]


@dataclass(frozen=True, slots=True)
class Origin:
    """By which tool, in which session of a client and from what something is stored."""

    tool: str | None = None
    session: str | None = None
    source: str | None = None


UNKNOWN = Origin()


@dataclass(frozen=True, slots=True)
class Filters:
    """What a record must be; None lets all pass. Times are ISO 8601 UTC, ``until`` exclusive."""

    agent: str | None = None
    kind: str | None = None
    outcome: str | None = None
    area: str | None = None
    since: str | None = None
    until: str | None = None
    not_kind: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be forgotten: records by id, or all that fit everything that is given."""

    record_ids: Sequence[str] = ()
    of_agent: str | None = None
    kind: str | None = None
    before: str | None = None
    with_pinned: bool = False
