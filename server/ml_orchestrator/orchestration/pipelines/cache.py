"""Outputs of earlier steps, found again by what went in: step, inputs, content of files."""

import hashlib
import itertools
import json
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ml_orchestrator import __version__
from ml_orchestrator.datasets.paths import resolve_allowed
from ml_orchestrator.orchestration.retention.folders import held
from ml_orchestrator.orchestration.steps.models import CONTENT
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.whole_files import write_whole

__all__ = ["BUILTIN", "Cached", "StepCache", "is_file_field", "key_of"]

MAX_ENTRIES = 5_000
PUTS_PER_SWEEP = 100  # so many more than MAX_ENTRIES there may be
DRAFT_S = 86_400.0  # who has not renamed one by then has died
BUILTIN = "builtin:"


@dataclass(frozen=True, slots=True)
class Cached:
    """An earlier output, and the run that it is of."""

    output: Any
    run_id: str


def key_of(
    uses: str, version: int, inputs: Mapping[str, Any], model: type[BaseModel], settings: Settings
) -> str:
    """Return the SHA-256 of what a step's output depends on.

    Args:
        uses: the step.
        version: its version.
        inputs: checked and completed with defaults.
        model: of the inputs; where it marks one as a file, the file's content counts.
        settings: which roots files may be read from.

    Raises:
        NotFoundError, PathNotAllowedError, InvalidInputError: a file cannot be read.
    """
    files = {
        name: _digest(resolve_allowed(value, settings.roots))
        for name, value in inputs.items()
        if is_file_field(model, name) and isinstance(value, str) and not value.startswith(BUILTIN)
    }
    text = json.dumps([__version__, uses, version, dict(inputs), files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_file_field(model: type[BaseModel], name: str) -> bool:
    """Whether an input names a file, whose content counts."""
    return CONTENT in model.model_fields[name].metadata


class StepCache:
    """A file for each output in the data directory; for many processes at once.

    An output counts as long as the folder that its step worked in is there, since it may name
    files in it.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "step-cache"
        self._puts = itertools.count()

    def get(self, key: str) -> Cached | None:
        """Return the output of an equal step, if there is one.

        The run that it is of counts as used now: its files are kept as those of a run of today.
        """
        entry = _entry(self._folder / f"{key}.json")
        if entry is None:
            return None
        with held(self._home):
            if not self._place(entry).is_dir():
                return None
            os.utime(self._home / "runs" / entry["run_id"])
        return Cached(entry["output"], entry["run_id"])

    def dead(self, gone: Collection[str] = ()) -> list[Path]:
        """Return the files of outputs that count no more, and what writers that died left.

        Args:
            gone: runs whose folders count as removed.
        """
        return [path for path in self._files() if self._is_dead(path, gone)]

    def _is_dead(self, path: Path, gone: Collection[str]) -> bool:
        if path.suffix == ".draft":
            with suppress(FileNotFoundError):
                return path.stat().st_mtime < time.time() - DRAFT_S
            return False
        entry = _entry(path)
        if entry is None:
            return True
        return entry["run_id"] in gone or not self._place(entry).is_dir()

    def _place(self, entry: Mapping[str, Any]) -> Path:
        return self._home / "runs" / str(entry["run_id"]) / str(entry["place"])

    def _files(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return sorted(self._folder.iterdir())
        return []

    def put(self, key: str, output: Any, *, run_id: str, place: str) -> None:
        """Keep an output; the oldest go where there are too many, looked for now and then."""
        self._folder.mkdir(parents=True, exist_ok=True)
        entry = {"output": output, "run_id": run_id, "place": place}
        write_whole(self._folder / f"{key}.json", json.dumps(entry))
        if next(self._puts) % PUTS_PER_SWEEP == 0:
            self._sweep()

    def _sweep(self) -> None:
        found: list[tuple[float, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    with suppress(FileNotFoundError):  # another one sweeps, too
                        found.append((entry.stat().st_mtime, entry.path))
        for _, path in sorted(found)[:-MAX_ENTRIES]:
            Path(path).unlink(missing_ok=True)


def _entry(path: Path) -> dict[str, Any] | None:
    """Return what a file holds; None if it is not there or not whole."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(entry, dict) and {"output", "run_id", "place"} <= set(entry)
    return entry if is_whole else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
