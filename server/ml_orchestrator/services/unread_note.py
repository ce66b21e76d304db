"""What waits for an agent, counted by the thread that does its work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Optional

from ml_orchestrator.messaging.models import Unread

__all__ = ["UnreadNote"]

_NOTE: ContextVar[Optional["UnreadNote"]] = ContextVar("unread note", default=None)


@dataclass(slots=True)
class UnreadNote:
    """What waits for ``agent`` after a call; None until somebody has counted it.

    Going to a thread once more for it takes several times as long as the count itself. A call that
    writes counts in its transaction: after the disk was waited for, the same takes longer.
    """

    agent: str
    unread: Unread | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Let services fill this note during the block."""
        token = _NOTE.set(self)
        try:
            yield
        finally:
            _NOTE.reset(token)

    @classmethod
    def of_this_call(cls) -> Optional["UnreadNote"]:
        """Return the note to fill, if there is one."""
        return _NOTE.get()

    @classmethod
    def fill(cls, agent: str, count: Callable[[], Unread]) -> None:
        """Count what waits for ``agent``, if this call is to tell it."""
        note = cls.of_this_call()
        if note is not None and note.agent == agent:
            note.unread = count()
