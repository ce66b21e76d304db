"""A door to something heavy that is opened on first use, once."""

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Generic, TypeVar

__all__ = ["Door", "alone", "import_alone"]

T = TypeVar("T")

# Packages whose modules import each other (sklearn, scipy) come out half made when two threads
# import them at once: the interpreter breaks the deadlock by letting one of the threads go on.
_importing = threading.RLock()


class Door(Generic[T]):
    """Builds its content on the first call and hands out the same content afterwards.

    Thread-safe. Opening may import large libraries and take seconds, so call it from a
    worker thread; one door at a time does that in a process. A failed opening is raised to
    the caller and tried again by the next.

    Args:
        build: Makes the content. It may open other doors.
        is_light: It imports nothing large, so it need not wait for those that do.
    """

    def __init__(self, build: Callable[[], T], *, is_light: bool = False) -> None:
        self._build = build
        self._lock = threading.RLock() if is_light else _importing
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


def import_alone(module: str) -> ModuleType:
    """Import a module while no other thread imports through here or opens a door."""
    with _importing:
        return importlib.import_module(module)


@contextmanager
def alone() -> Iterator[None]:
    """Keep other threads from importing through here, or opening a door, for a while."""
    with _importing:
        yield
