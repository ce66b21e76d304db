"""Who was at it when a call failed: each part of a server counts its own crashes, no other's."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TypeAlias

from ml_orchestrator.breaker import Breaker
from ml_orchestrator.errors import OrchestratorError, UnavailableError

__all__ = ["counted_use", "is_in_use", "note_use"]


Uses: TypeAlias = list[tuple[object, Breaker, int]]
"""The parts that one call was given, with how often in a row each had failed by then."""

_uses: ContextVar[Uses | None] = ContextVar("uses", default=None)


def note_use(part: object, breaker: Breaker) -> None:
    """Note that the call under way, if there is one, was given a part."""
    if (uses := _uses.get()) is not None:
        uses.append((part, breaker, breaker.n_failures))


def is_in_use(part: object) -> bool:
    """Whether the call under way was given this part before."""
    uses = _uses.get()
    return any(each is part for each, _, _ in uses or ())


@contextmanager
def counted_use() -> Iterator[None]:
    """Let the breakers of the parts that are used meanwhile know how that ended.

    An unexpected error counts as a failure of the innermost part whose method is in its
    traceback, and of no other. Where the call ends well, or with an answer that is meant (a
    refusal of what was asked), the parts have not failed in a row any more; `UnavailableError`
    says neither. What somebody else has counted meanwhile stands.
    """
    uses: Uses = []
    token = _uses.set(uses)
    try:
        yield
    except UnavailableError:
        raise
    except OrchestratorError:
        _went_well(uses)
        raise
    except Exception as error:
        _count(uses, error)
        raise
    else:
        _went_well(uses)
    finally:
        _uses.reset(token)


def _went_well(uses: Uses) -> None:
    for _, breaker, n_failures in uses:
        if n_failures and breaker.n_failures == n_failures:
            breaker.succeeded()


def _count(uses: Uses, error: Exception) -> None:
    for owner in reversed(list(_owners(error.__traceback__))):
        for part, breaker, _ in uses:
            if part is owner:
                breaker.failed(f"{type(error).__name__}; the log has the traceback")
                return


def _owners(traceback: TracebackType | None) -> Iterator[object]:
    """Yield the object of each method in a traceback, the outermost first."""
    while traceback is not None:
        yield traceback.tb_frame.f_locals.get("self")
        traceback = traceback.tb_next
