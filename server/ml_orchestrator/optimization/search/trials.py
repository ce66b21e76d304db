"""Trials of a search on disk: a line for each, so that one that was killed goes on."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.optimization.search.models import Means, RulePlan, SearchSpec

__all__ = ["Trial", "TrialFile"]

FILE = "rule_trials.jsonl"


class Trial(BaseModel):
    """One rule set and what it scored; ``chosen`` is what the search drew."""

    model_config = ConfigDict(extra="forbid")

    chosen: dict[str, str]
    plan: RulePlan
    means: Means
    excess: float


class TrialFile:
    """The trials of one search, in a directory of its own.

    Raises:
        ConflictError: the directory holds the trials of another question.
    """

    def __init__(self, directory: Path, spec: SearchSpec, *, of: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / FILE
        asked = json.dumps([spec.model_dump(mode="json"), of], sort_keys=True)
        self._question = hashlib.sha256(asked.encode()).hexdigest()
        self._finish_last_line()
        if not self._path.exists():
            self._append(json.dumps({"question": self._question}))

    def read(self) -> list[Trial]:
        """Return the trials on record, in order."""
        lines = self._lines()
        if json.loads(next(lines)).get("question") != self._question:
            raise ConflictError(
                f"{self._path.parent.name!r} holds the trials of other prompts or another "
                "question. Use a directory of its own for each."
            )
        return [Trial.model_validate_json(line) for line in lines]

    def add(self, trial: Trial) -> None:
        """Write a trial down; once this returns it is on disk."""
        self._append(trial.model_dump_json())

    def _lines(self) -> Iterator[str]:
        yield from self._path.read_text(encoding="utf-8").splitlines()

    def _append(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _finish_last_line(self) -> None:
        """Cut what a killed process wrote half."""
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            self._path.unlink()
        elif whole != content:
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
