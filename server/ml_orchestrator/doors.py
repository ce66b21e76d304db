"""A door to something heavy that is opened on first use, once."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Door"]

T = TypeVar("T")


class Door(Generic[T]):
    """Builds its content on the first call and hands out the same content afterwards.

    Thread-safe. Opening may import large libraries and take seconds, so call it from a
    worker thread. A failed opening is raised to the caller and tried again by the next.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._content: list[T] = []

    def __call__(self) -> T:
        """Return the content, building it first if nobody has."""
        if not self._content:
            with self._lock:
                if not self._content:
                    self._content.append(self._build())
        return self._content[0]

    @property
    def is_open(self) -> bool:
        """Whether the content has been built."""
        return bool(self._content)
