"""Named collections filled by decorators at import time."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from ml_orchestrator.errors import NotFoundError

__all__ = ["Catalog"]

T = TypeVar("T")


class Catalog(Mapping[str, T], Generic[T]):
    """A mapping from name to entry, iterated in sorted order.

    >>> GREETINGS: Catalog[str] = Catalog("greeting")
    >>> GREETINGS.register("en")("hello")
    'hello'
    >>> list(GREETINGS)
    ['en']
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its target under ``name``.

        Raises:
            ValueError: the name is taken (a mistake in the program).
        """

        def file(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self._kind} {name!r} is already registered.")
            self._entries[name] = entry
            return entry

        return file

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            known = ", ".join(sorted(self._entries)) or "none"
            raise NotFoundError(f"No {self._kind} named {name!r}; known: {known}.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
