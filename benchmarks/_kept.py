"""What a long benchmark measured, one JSON object a line, so that it can run in parts."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Kept"]


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
