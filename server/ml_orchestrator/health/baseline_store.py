"""Where baselines are kept: one file each, written whole or not at all, never changed."""

import re
from pathlib import Path

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from ml_orchestrator.faults import near
from ml_orchestrator.health.baseline import Baseline
from ml_orchestrator.health.baseline_file import baseline_bytes, baseline_from
from ml_orchestrator.health.options import NAME_PATTERN, NAME_WORDS
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.whole_files import create_lasting

__all__ = ["BaselineStore"]

SUFFIX = ".baseline"
_NAME = re.compile(NAME_PATTERN)


class BaselineStore:
    """Baselines of one data directory, by name. Safe among threads and processes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "baselines"

    def save(self, name: str, baseline: Baseline) -> int:
        """Keep a baseline and return its size in bytes; the same again changes nothing.

        Raises:
            InvalidInputError: the name cannot be one.
            ConflictError: the name is taken by other data; what was kept stays as it is.
            UnavailableError: the disk does not take it.
        """
        path, content = self._path(name), baseline_bytes(baseline)
        try:
            self._write(path, content)
        except FileExistsError:
            if path.read_bytes() != content:
                raise ConflictError(
                    f"Baseline {name!r} exists with other data, and comparisons rely on it. "
                    f"Choose another name, such as {name}-2, or remove {path}."
                ) from None
        except OSError as error:
            raise UnavailableError(
                f"Baseline {name!r} could not be written ({error.strerror}); nothing was kept."
            ) from error
        return len(content)

    def load(self, name: str) -> Baseline:
        """Return a kept baseline.

        Raises:
            NotFoundError: there is none of that name; the message lists those there are.
            IntegrityViolationError: the file is damaged.
            UnavailableError: it cannot be read, or a later release wrote it.
        """
        try:
            content = self._path(name).read_bytes()
        except FileNotFoundError:
            raise self._unknown(name) from None
        except OSError as error:
            raise UnavailableError(
                f"Baseline {name!r} cannot be read ({error.strerror})."
            ) from error
        return baseline_from(content, name=name)

    def stamp(self, name: str) -> tuple[int, ...]:
        """Return size, time (ns) and inode of a baseline's file: while they stay, so does it.

        Raises:
            NotFoundError: there is none of that name.
        """
        try:
            found = self._path(name).stat()
        except FileNotFoundError:
            raise self._unknown(name) from None
        return found.st_size, found.st_mtime_ns, found.st_ino

    def names(self) -> list[str]:
        """Return the names of all baselines, sorted."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self._folder.glob(f"*{SUFFIX}"))

    def _unknown(self, name: str) -> NotFoundError:
        names = self.names()
        known = ", ".join(names) or "none; make one with baseline_save"
        return NotFoundError(f"No baseline named {name!r}{near(name, names)}; known: {known}.")

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidInputError(f"{name[:80]!r} cannot name a baseline: a name {NAME_WORDS}.")
        return self._folder / f"{name}{SUFFIX}"

    def _write(self, path: Path, content: bytes) -> None:
        prepare_home(self._home)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        create_lasting(path, content)
