"""Named collections filled by decorators at import time, and by packages that add to them."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from ml_orchestrator.doors import alone
from ml_orchestrator.errors import NotFoundError, OrchestratorError, UnavailableError
from ml_orchestrator.extensions import Extension, found, loading_package
from ml_orchestrator.faults import near

__all__ = ["Catalog"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Catalog(Mapping[str, T], Generic[T]):
    """A mapping from name to entry, iterated in sorted order.

    With ``extended_by``, a kind of extension, other packages may add entries by the decorator
    that ours use. They are imported when one of them is asked for by name, or when all entries
    are; one that fails is left out, and nothing else suffers.

    Args:
        kind: what an entry is called in messages.
        extended_by: the kind of extension that adds to it (``ml_orchestrator.extensions``).
        must_have: attributes without which another package's entry is refused.
        taken: names that no entry may have, since something else that ships has them.

    >>> GREETINGS: Catalog[str] = Catalog("greeting")
    >>> GREETINGS.register("en")("hello")
    'hello'
    >>> list(GREETINGS)
    ['en']
    """

    def __init__(
        self,
        kind: str,
        *,
        extended_by: str | None = None,
        must_have: Sequence[str] = (),
        taken: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._kind = kind
        self._entries: dict[str, T] = {}
        self._extended_by = extended_by
        self._must_have = must_have
        self._taken = taken
        self._packages: dict[str, str] = {}  # of entries that are not ours

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its target under ``name``.

        Raises:
            ValueError: the name is taken (a mistake in the program).
        """

        def file(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self._kind} {name!r} is already registered.")
            package = loading_package(lambda: self._take_back(name))
            if package is not None:
                self._check_declared(name, package)
                self._packages[name] = package
            self._entries[name] = entry
            return entry

        return file

    @property
    def ours(self) -> list[str]:
        """Names of the entries that no other package has added, sorted."""
        return sorted(set(self._entries) - set(self._packages))

    @contextmanager
    def calling(self, name: str) -> Iterator[None]:
        """Guard what an entry is asked to do: a failure of another package's is counted.

        Three in a row, and the entry is left alone for a while. For our own entries nothing is
        changed.

        Raises:
            UnavailableError: another package's entry raised what is not an error of ours.
        """
        if name not in self._packages:
            yield
            return
        extension = self._extensions()[name]
        if not extension.breaker.admits():
            raise self._left_alone(name)
        try:
            yield
        except OrchestratorError:
            extension.breaker.succeeded()  # it answered, if by a refusal
            raise
        except Exception as error:
            _log.exception("%s %r of %s failed", self._kind, name, extension.title)
            extension.breaker.failed(f"{type(error).__name__}: {error}")
            raise UnavailableError(
                f"The {self._kind} {name!r} of {extension.title} failed "
                f"({type(error).__name__}); the log has the traceback. Use another one, or tell "
                "its author."
            ) from error
        else:
            extension.breaker.succeeded()

    def why_absent(self, name: str) -> str:
        """Return why an entry that another package declares cannot be had; empty if none does."""
        extension = self._extensions().get(name)
        return "" if extension is None else extension.why_not or ""

    def __getitem__(self, name: str) -> T:
        if name not in self._entries or name in self._packages:
            self._want(name)
        if name in self._entries:
            return self._entries[name]
        known = ", ".join(self) or "none"
        why = self.why_absent(name)
        raise NotFoundError(
            f"No {self._kind} named {name!r}{near(name, self)}; known: {known}."
            f"{f' {why}' if why else ''}"
        )

    def __contains__(self, name: object) -> bool:
        if name in self._entries and name not in self._packages:
            return True
        if not isinstance(name, str):
            return False
        try:
            self._want(name)
        except UnavailableError:
            return False
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        for name in self._extensions():
            self._load(name)
        left_alone = {name for name in self._packages if self._is_left_alone(name)}
        return iter(sorted(set(self._entries) - left_alone))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _extensions(self) -> Mapping[str, Extension]:
        return {} if self._extended_by is None else found(self._extended_by)

    def _is_left_alone(self, name: str) -> bool:
        return self._extensions()[name].breaker.look().state == "open"

    def _left_alone(self, name: str) -> UnavailableError:
        return UnavailableError(
            f"The {self._kind} {name!r} is left alone for now. {self.why_absent(name)}"
        )

    def _want(self, name: str) -> None:
        """Load another package's entry if there is one of that name.

        Raises:
            UnavailableError: it was loaded and has failed too often to be asked again now.
        """
        if name in self._extensions():
            self._load(name)
            if name in self._packages and self._is_left_alone(name):
                raise self._left_alone(name)

    def _load(self, name: str) -> None:
        extension = self._extensions()[name]
        if extension.is_loaded or extension.refused is not None:
            return
        with alone():
            ships = name in self._entries and name not in self._packages
            if ships or name in self._taken():
                extension.refused = (
                    f"{extension.title} adds a {self._kind} named {name!r}, which is the name of "
                    "one that ships. Have it renamed."
                )
            extension.load(lambda: self._fault_of(name))

    def _fault_of(self, name: str) -> str | None:
        """Return what is wrong with an entry once its module has been imported."""
        if name not in self._entries:
            return f"its module registers no {self._kind} named {name!r}."
        entry = self._entries[name]
        if lacking := [each for each in self._must_have if not hasattr(entry, each)]:
            return f"its {self._kind} {name!r} has no {', '.join(lacking)}."
        return None

    def _check_declared(self, name: str, package: str) -> None:
        extension = self._extensions().get(name)
        if extension is None or extension.package != package:
            raise ValueError(
                f"{package} registers a {self._kind} named {name!r} that its entry points do not "
                "name."
            )

    def _take_back(self, name: str) -> None:
        self._entries.pop(name, None)
        self._packages.pop(name, None)
