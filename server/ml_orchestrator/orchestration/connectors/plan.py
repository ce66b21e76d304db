"""How a person has configured the components of a data directory, kept in components.json.

Every process looks at the file before it uses a component, so a change reaches servers that run.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ml_orchestrator.errors import InvalidInputError

__all__ = ["FILE", "Entry", "Plan", "read_entries"]

FILE = "components.json"
LOOK_S = 0.25  # a change is seen after this at the latest
_log = logging.getLogger(__name__)


class Entry(BaseModel):
    """What is asked of one component; ``generation`` grows with each change and reload."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generation: int = 0
    values: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: tuple[int, int, int] | None = None
    entries: Mapping[str, Entry] = field(default_factory=dict)


class Plan:
    """The file as it is now, read again when it has changed. Thread-safe."""

    def __init__(self, home: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = home / FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = _Seen()
        self._look_at = float("-inf")

    def entry(self, name: str) -> Entry:
        """Return what is asked of a component.

        A file that cannot be read changes nothing: what was read before it goes on to count, and
        the log has why.
        """
        self._look()
        return self._seen.entries.get(name, Entry())

    def _look(self) -> None:
        if self._clock() < self._look_at:
            return
        with self._lock:
            self._look_at = self._clock() + LOOK_S
            stamp = _stamp(self._path)
            if stamp != self._seen.stamp:
                self._seen = self._read(stamp)

    def _read(self, stamp: tuple[int, int, int] | None) -> _Seen:
        try:
            return _Seen(stamp, read_entries(self._path))
        except InvalidInputError as error:
            _log.warning("Components stay as they are: %s", error)
            return _Seen(stamp, self._seen.entries)


def read_entries(path: Path) -> dict[str, Entry]:
    """Return what a file asks for, by component; nothing if there is none.

    Raises:
        InvalidInputError: it is not what ``configure`` writes.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: Entry.model_validate(entry) for name, entry in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(
            f"{path} cannot be read as a configuration of components ({reason}). Mend it, or "
            "delete it: then all of them are as the settings say."
        ) from error


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
