"""What waits for an agent, counted by the thread that does its work."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Optional

from ml_orchestrator.messaging.models import Unread

__all__ = ["UnreadNote"]

_NOTE: ContextVar[Optional["UnreadNote"]] = ContextVar("unread note", default=None)


@dataclass(slots=True)
class UnreadNote:
    """What waits for ``agent`` after a call; None until a service has counted it.

    Going to a thread once more for it takes several times as long as the count itself.
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
