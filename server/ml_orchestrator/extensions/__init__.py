"""What other packages add by entry points: found without importing, loaded once it is wanted.

A package declares, for each entry, a group ``ml_orchestrator.KIND``, the entry's name and the
module that registers it, and requires the releases of ``ml-orchestrator-mcp`` that it was made
for. That range is read before anything of the package is imported.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import metadata

from ml_orchestrator.breaker import Breaker
from ml_orchestrator.doors import Door, import_alone
from ml_orchestrator.memory_use import grown_mb, resident_mb

__all__ = ["KINDS", "Extension", "found", "loading_package"]

PREFIX = "ml_orchestrator."
KINDS = {
    "trainers": 1,
    "rules": 2,
    "drift_tests": 3,
    "steps": 5,
    "workflows": 5,
}
"""What may be added, and the tier it belongs to."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Extension:
    """One entry of another package: where it is, and what became of it.

    ``refused`` says why it is never loaded, None if nothing is against it. A failed import is
    tried again as its ``breaker`` allows.
    """

    kind: str
    name: str
    module: str
    package: str
    version: str
    refused: str | None = None
    is_loaded: bool = False
    import_ms: float | None = None
    grew_mb: float | None = None
    breaker: Breaker = field(default_factory=Breaker)

    @property
    def title(self) -> str:
        """Its package and release, for messages."""
        return f"{self.package} {self.version}"

    @property
    def why_not(self) -> str | None:
        """Why it cannot be used now, in a sentence; None if it can, or nobody has tried."""
        if self.refused is not None:
            return self.refused
        look = self.breaker.look()
        if look.retry_in_s is None and (self.is_loaded or look.last_error is None):
            return None
        when = f" It is tried again in {look.retry_in_s:.0f} s." if look.retry_in_s else ""
        return f"{self.title} failed: {look.last_error}{when}"

    def load(self, fault: Callable[[], str | None]) -> None:
        """Import its module unless it is loaded, refused or left alone for a while.

        Never raises: whatever the package raises on import is kept as its failure. What it had
        registered until then is taken back.

        Args:
            fault: called after the import; says what is wrong with the entry, or None.
        """
        if self.is_loaded or self.refused is not None or not self.breaker.admits():
            return
        began_at, before_mb = time.perf_counter(), resident_mb()
        try:
            with _as_package(self.package):
                import_alone(self.module)
                if said := fault():
                    self.refused = f"{self.title}: {said}"
                    raise _NotRegisteredError(said)
        except (Exception, SystemExit) as error:  # noqa: BLE001 whatever another package raises
            _log.warning("Could not load %s %r of %s", self.kind, self.name, self.title,
                         exc_info=True)  # fmt: skip
            self.breaker.failed(f"{type(error).__name__}: {error}")
        else:
            self.is_loaded = True
            self.import_ms = (time.perf_counter() - began_at) * 1e3
            self.grew_mb = grown_mb(before_mb)
            self.breaker.succeeded()


class _NotRegisteredError(Exception):
    """A module was imported and did not register what its entry point names."""


@dataclass(slots=True)
class _Loading:
    package: str
    undo: list[Callable[[], None]] = field(default_factory=list)


_loading: ContextVar[_Loading | None] = ContextVar("loading", default=None)


def loading_package(undo: Callable[[], None]) -> str | None:
    """Return the package whose module is being imported, None for our own.

    Args:
        undo: takes back what the caller is about to do, should the import fail.
    """
    loading = _loading.get()
    if loading is None:
        return None
    loading.undo.append(undo)
    return loading.package


@contextmanager
def _as_package(package: str) -> Iterator[None]:
    loading = _Loading(package)
    token = _loading.set(loading)
    try:
        yield
    except BaseException:
        for undo in reversed(loading.undo):
            undo()
        raise
    finally:
        _loading.reset(token)


def found(kind: str | None = None) -> Mapping[str, Extension]:
    """Return what is installed of one kind by name, or of all kinds by ``kind:name``.

    The metadata of installed packages are read once in a process; nothing is imported.
    """
    by_kind = _installed()
    if kind is not None:
        return by_kind.get(kind, {})
    return {f"{e.kind}:{e.name}": e for group in by_kind.values() for e in group.values()}


def _read() -> Mapping[str, Mapping[str, Extension]]:
    """Return what installed packages declare, by kind and name."""
    installed = metadata.entry_points()
    groups = [group for group in installed.groups if group.startswith(PREFIX)]
    points = [p for group in groups for p in installed.select(group=group) if p.dist]
    by_place: dict[tuple[str, str], list[metadata.EntryPoint]] = {}
    for point in points:
        kind = point.group.removeprefix(PREFIX)
        by_place.setdefault((kind, point.name), []).append(point)
    read: dict[str, dict[str, Extension]] = {}
    for (kind, name), there in by_place.items():
        read.setdefault(kind, {})[name] = _extension(kind, there)
    return read


_installed = Door(_read, is_light=True)


def _extension(kind: str, points: list[metadata.EntryPoint]) -> Extension:
    point = points[0]
    assert point.dist is not None
    made = Extension(kind, point.name, point.module, point.dist.name, point.dist.version)
    packages = Counter(p.dist.name for p in points if p.dist is not None)
    if kind not in KINDS:
        made.refused = (
            f"{made.title} adds to {PREFIX}{kind}, which is no kind of extension; "
            f"known: {', '.join(KINDS)}."
        )
    elif len(packages) > 1:
        made.refused = (
            f"The name is claimed by {' and '.join(sorted(packages))}, so neither is loaded. "
            "Uninstall one, or have it renamed."
        )
    else:
        compatible = import_alone("ml_orchestrator.extensions._compatible")
        made.refused = compatible.misfit(made.title, point.dist.requires or [])
    return made
