"""What contenders answered, kept in files: a long comparison runs in parts and can go on.

A file holds one line of JSON for each answer, written when it is given. Several processes write to
a file each; whoever draws up the table reads them all.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _contenders import Question

from ml_orchestrator.training.metrics import Predictions

__all__ = ["AnswerBook", "Asked", "KeptAnswer", "kept"]


class Asked(NamedTuple):
    """Who was asked what; ``seed`` is that of the split and of all models."""

    budget_s: float
    problem: str
    seed: int
    contender: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer without the truth, and what it took.

    ``digest`` is that of the table, ``has_failed`` says that it is a constant's in place of one
    that failed, ``load`` is the machine's of the last minute when it was done.
    """

    digest: str
    seconds: float
    predicted: list[Any]
    probabilities: list[list[float]]
    has_failed: bool
    load: float
    done_at: str

    def beside_truth(self, question: Question) -> Predictions:
        """Return the answer as predictions for the held-out rows of the question.

        Raises:
            ValueError: it was given for other rows.
        """
        truth = question.table.codes[question.split.test]
        if self.digest != question.problem.dataset.digest or len(truth) != len(self.predicted):
            raise ValueError(f"An answer on {question.problem.name!r} is of other rows; ask anew.")
        shares = np.array(self.probabilities, dtype=np.float64).reshape(len(truth), -1)
        return Predictions(truth, np.array(self.predicted), shares)


def kept(question: Question, given: Predictions, seconds: float, *, has_failed: bool) -> KeptAnswer:
    """Return an answer as it is kept."""
    return KeptAnswer(
        digest=question.problem.dataset.digest,
        seconds=seconds,
        predicted=np.asarray(given.predicted).tolist(),
        probabilities=given.probabilities.tolist(),
        has_failed=has_failed,
        load=os.getloadavg()[0],
        done_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class AnswerBook:
    """All answers so far; new ones go to ``file`` at once, if there is one."""

    def __init__(self, read: Sequence[Path] = (), *, file: Path | None = None) -> None:
        self._file = file
        sources = [*read, *([file] if file is not None and file.exists() else [])]
        self._answers = dict(pair for path in sources for pair in _lines(path))

    def __contains__(self, asked: Asked) -> bool:
        return asked in self._answers

    def add(self, asked: Asked, answer: KeptAnswer) -> None:
        """Keep one more answer."""
        self._answers[asked] = answer
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**asked._asdict(), **asdict(answer)}) + "\n")

    @property
    def budgets(self) -> list[float]:
        """Return the budgets in seconds, shortest first."""
        return sorted({asked.budget_s for asked in self._answers})

    def rounds(self, budget_s: float) -> dict[tuple[str, int], Mapping[str, KeptAnswer]]:
        """Return by set and seed what each contender answered within a budget."""
        found: dict[tuple[str, int], dict[str, KeptAnswer]] = {}
        for asked, answer in self._answers.items():
            if asked.budget_s == budget_s:
                found.setdefault((asked.problem, asked.seed), {})[asked.contender] = answer
        return dict(found)


def _lines(path: Path) -> Iterator[tuple[Asked, KeptAnswer]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        asked = Asked(*(entry.pop(name) for name in Asked._fields))
        yield asked, KeptAnswer(**entry)
