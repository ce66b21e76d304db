"""What a long benchmark measured, one JSON object a line, so that it can run in parts."""

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = ["Book", "Kept"]

_Key = TypeVar("_Key")
_Found = TypeVar("_Found")


class Book(ABC, Generic[_Key, _Found]):
    """What was measured so far, by what was asked, each a line of a file in a form of its own.

    Args:
        read: Files to read.
        file: Read too, if it is there; what is new goes to it at once.
    """

    def __init__(self, read: Sequence[Path] = (), *, file: Path | None = None) -> None:
        self._file = file
        sources = [*read, *([file] if file is not None and file.exists() else [])]
        lines = [line for path in sources for line in path.read_text("utf-8").splitlines()]
        self.found = dict(map(self._read, lines))

    def add(self, key: _Key, found: _Found) -> None:
        """Keep one more."""
        self.found[key] = found
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(self._written(key, found) + "\n")

    @abstractmethod
    def _read(self, line: str) -> tuple[_Key, _Found]: ...

    @abstractmethod
    def _written(self, key: _Key, found: _Found) -> str: ...


class Kept:
    """Answers by what was asked; in a file if one is given, which is read first.

    Args:
        file: made on the first answer; None keeps them in memory.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        lines = file.read_text().splitlines() if file is not None and file.exists() else []
        self._answers = {self._key(entry["asked"]): entry for entry in map(json.loads, lines)}

    def get(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer to what was asked; None if there is none yet."""
        entry = self._answers.get(self._key(asked))
        return None if entry is None else entry["answer"]

    def add(self, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Keep an answer, with the day and the load of the machine."""
        about = {"day": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1)}
        entry = {"asked": dict(asked), "answer": dict(answer), **about}
        self._answers[self._key(asked)] = entry
        if self._file is not None:
            with self._file.open("a") as lines:
                lines.write(json.dumps(entry) + "\n")

    def loads(self) -> str:
        """Return between which loads all of it was measured."""
        found = [entry["load"] for entry in self._answers.values()]
        return f"load {min(found)} to {max(found)}" if found else "nothing measured"

    @staticmethod
    def _key(asked: Mapping[str, Any]) -> str:
        return json.dumps(asked, sort_keys=True)
