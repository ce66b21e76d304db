"""What waits for a subscriber: a bounded queue by priority that says what it let go."""

from collections import deque
from collections.abc import Container, Iterator
from typing import Generic, NamedTuple, TypeVar

from ml_orchestrator.orchestration.events.definition import Priority

__all__ = ["Bands", "Waiting"]

T = TypeVar("T")


class Waiting(NamedTuple, Generic[T]):
    """Something that waits; two of one key do not overtake one another."""

    item: T
    priority: Priority
    key: str


class Bands(Generic[T]):
    """A queue of at most ``room`` items, urgent ones first, within a priority by arrival.

    When it is full, room is made by the oldest item of the lowest priority, unless what arrives is
    lower still: old news of little weight helps least. Not thread-safe.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self._bands: tuple[deque[Waiting[T]], ...] = tuple(deque() for _ in Priority)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Waiting[T]]:
        for band in reversed(self._bands):
            yield from band

    def n_from(self, least: Priority) -> int:
        """Return how many wait whose priority is ``least`` or higher."""
        return sum(len(band) for band in self._bands[least:])

    def offer(self, item: T, priority: Priority, key: str = "") -> Waiting[T] | None:
        """Let an item wait, and return what had to go for it; that may be the item itself."""
        arrived = Waiting(item, priority, key)
        shed = None
        if self._n >= self.room:
            lowest = next(band for band in self._bands if band) if self._n else ()
            if not lowest or lowest[0].priority > priority:
                return arrived
            shed = lowest.popleft()
            self._n -= 1
        self._bands[priority].append(arrived)
        self._n += 1
        return shed

    def put_back(self, item: T, priority: Priority, key: str = "") -> None:
        """Let an item be the first of its priority, whether or not there is room."""
        self._bands[priority].appendleft(Waiting(item, priority, key))
        self._n += 1

    def take(self, least: Priority = Priority.LOW, busy: Container[str] = ()) -> Waiting[T] | None:
        """Return who is next among ``least`` and higher, and whose key is not ``busy``."""
        for band in reversed(self._bands[least:]):
            for place, waiting in enumerate(band):
                if waiting.key not in busy:
                    del band[place]
                    self._n -= 1
                    return waiting
        return None

    def drop_key(self, key: str) -> list[Waiting[T]]:
        """Let everything of one key go, and return it in order."""
        gone = []
        for band in self._bands:
            gone += [waiting for waiting in band if waiting.key == key]
            kept = [waiting for waiting in band if waiting.key != key]
            band.clear()
            band.extend(kept)
        self._n -= len(gone)
        return gone
