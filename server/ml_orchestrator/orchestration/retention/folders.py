"""The folders of runs, and those that were renamed to be removed.

``runs/RUN`` is in use. ``runs.gone/RUN~TIME`` was given up at TIME (ms since 1970): whatever else
there is of that run, up to then, goes too.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.storage.locks import exclusive

__all__ = [
    "GivenUp",
    "all_given_up",
    "give_up",
    "held",
    "names",
    "refuse_given_up",
    "remove_files",
    "size_of",
    "take_back",
    "used_at",
]

GONE = "runs.gone"


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A run whose removal has begun.

    Attributes:
        run_id: of its first attempt.
        at_ms: when, in ms since 1970.
        path: its folder now.
    """

    run_id: str
    at_ms: int
    path: Path


def held(home: Path) -> AbstractContextManager[None]:
    """Hold the folders of runs: nobody removes one meanwhile, and whoever removes is alone."""
    return exclusive(home / "runs", doing="removing old runs")


def used_at(home: Path, run_id: str) -> float | None:
    """Return when a run's folder was last written or taken from, s since 1970; None without one."""
    with suppress(FileNotFoundError):
        return (home / "runs" / run_id).stat().st_mtime
    return None


def names(home: Path) -> list[str]:
    """Return the runs that have a folder, by first attempts."""
    return sorted(path.name for path in _entries(home / "runs") if path.is_dir())


def give_up(home: Path, run_id: str, *, at_ms: int) -> GivenUp | None:
    """Rename a run's folder, if it has one; the caller holds the folders."""
    path = home / GONE / f"{run_id}~{at_ms}"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        (home / "runs" / run_id).rename(path)
    except FileNotFoundError:
        return None
    return GivenUp(run_id, at_ms, path)


def take_back(home: Path, given_up: GivenUp) -> bool:
    """Rename a folder back, as its run goes on; False if that has another by now.

    The caller holds the folders.
    """
    place = home / "runs" / given_up.run_id
    if place.exists():
        return False
    given_up.path.rename(place)
    return True


def all_given_up(home: Path) -> list[GivenUp]:
    """Return what is left of earlier removals, in the order of their names."""
    found = []
    for path in sorted(_entries(home / GONE)):
        run_id, _, at_ms = path.name.rpartition("~")
        if run_id and at_ms.isdigit():
            found.append(GivenUp(run_id, int(at_ms), path))
    return found


def refuse_given_up(home: Path, run_id: str) -> None:
    """Refuse to go on with a run that is being removed.

    Raises:
        ConflictError: its removal has begun.
    """
    if any(each.run_id == first_of(run_id) for each in all_given_up(home)):
        raise ConflictError(
            f"Run {run_id} is being removed: it is older than runs are kept "
            "(ML_ORCHESTRATOR_RUNS_KEEP_DAYS). Start what it did anew."
        )


def remove_files(given_up: GivenUp) -> None:
    """Remove a renamed folder; what cannot be removed is tried again by the next pass."""
    shutil.rmtree(given_up.path, ignore_errors=True)


def size_of(path: Path) -> int:
    """Return the bytes of all files below a folder."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(folder) / name).lstat().st_size
    return size


def _entries(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from folder.iterdir()
