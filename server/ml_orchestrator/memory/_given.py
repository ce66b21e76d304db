"""Times, numbers and origins that a file states, as the store takes them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from ml_orchestrator.errors import InvalidInputError, OrchestratorError
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.memory.times import moment
from ml_orchestrator.storage.memory_rows import cleaned
from ml_orchestrator.text import cut

__all__ = [
    "MALFORMED",
    "Placed",
    "check_object",
    "number_of",
    "origin_of",
    "past_moment",
    "said_of",
]

Placed: TypeAlias = tuple[str, Any]  # a part of a file, and before it its place: records[3]

# What reading a damaged part of a file raises.
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_LONGEST = {"tool": 32, "session": 80, "source": 200}  # characters
_MOST = 1_000_000_000  # that something was counted


def past_moment(text: object, latest: str) -> str | None:
    """Return a time as the store writes it, ``latest`` at the latest, or None if it is none."""
    found = moment(text)
    return None if found is None else min(found, latest)


def check_object(part: object, name: str = "it") -> None:
    """Refuse a part of a file that is no object.

    Raises:
        InvalidInputError: the message shows what stands there.
    """
    if not isinstance(part, Mapping):
        raise InvalidInputError(f"{name} is {cut(repr(part), 60)}; an object is taken")


def said_of(error: Exception) -> str:
    """Return in 200 characters at most what was wrong with a part of a file."""
    if isinstance(error, KeyError):
        return f"{error} is missing"[:200]
    return (str(error) if isinstance(error, OrchestratorError | ValueError) else repr(error))[:200]


def number_of(item: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    """Return how often something was counted: ``least`` or more, and that where none is said."""
    return min(max(least, int(item.get(name, least))), _MOST)


def origin_of(item: Mapping[str, Any], origin: Origin) -> Origin:
    """Return where a record comes from; what names it is text of others, and short."""
    named = {name: item.get(name, getattr(origin, name)) for name in _LONGEST}
    for name, value in named.items():
        if value is not None and not (isinstance(value, str) and len(value) <= _LONGEST[name]):
            raise InvalidInputError(
                f"A record has the {name} {str(value)[:80]!r}; text of at most {_LONGEST[name]} "
                "characters is taken."
            )
    return Origin(**cleaned(named)[0])
