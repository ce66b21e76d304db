"""What the store is asked: where records come from, which are meant."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_orchestrator.errors import InvalidInputError

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

    def check(self) -> None:
        """Refuse filters that no record can meet together.

        Raises:
            InvalidInputError: the message says which, and what to leave out.
        """
        if self.since and self.until and self.since >= self.until:
            raise InvalidInputError(
                f"No record is from {self.since} on and before {self.until}. Give a since that "
                "is earlier than until, or one of them."
            )
        if self.outcome and self.kind not in (None, "task"):
            raise InvalidInputError(
                f"Only tasks have an outcome, and kind is {self.kind!r}. Leave one of them out."
            )
        if self.area and (self.kind == "task" or self.outcome):
            raise InvalidInputError(
                "Tasks have no area; insights and facts have. Leave out area, or what asks for "
                "tasks: kind or outcome."
            )


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be forgotten: records by id, or all that fit everything that is given."""

    record_ids: Sequence[str] = ()
    of_agent: str | None = None
    kind: str | None = None
    before: str | None = None
    with_pinned: bool = False
