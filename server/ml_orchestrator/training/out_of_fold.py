"""What each trial said about rows it was not fitted on, kept for what is decided after a search.

A trial's answers are one file in the study's directory, named by its parameters and written
before the trial counts as finished. So a resumed search knows what the first process knew.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.metrics import Metric, Predictions
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.shortlist import shortlist
from ml_orchestrator.training.space import Params

__all__ = [
    "AnswerFiles",
    "Answers",
    "Keeper",
    "Timing",
    "mean_score",
    "numbers_of",
    "predictions_of",
]

FOLDER = "out_of_fold"
MOST_NUMBERS = 2_000_000  # of one trial; 16 MB


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a trial's folds took, in s: fitting all of them, and predicting, a row."""

    fit_s: float
    predict_row_s: float


@dataclass(frozen=True, slots=True)
class Answers:
    """Out-of-fold predictions of one configuration, one ``Predictions`` a fold, in order."""

    folds: tuple[Predictions, ...]

    def take(self, rows: Sequence[NDArray[np.int64]]) -> "Answers":
        """Return the given rows of each fold, repeats allowed."""
        pairs = zip(self.folds, rows, strict=True)
        return replace(self, folds=tuple(fold.take(chosen) for fold, chosen in pairs))

    def without(self, number: int) -> "Answers":
        """Return all folds but the one of this number, from 0."""
        return replace(self, folds=self.folds[:number] + self.folds[number + 1 :])


def mean_score(answers: Answers, metric: Metric) -> float:
    """Return the mean of the folds' scores, as a search scores a trial."""
    return float(np.mean([metric.compute(fold) for fold in answers.folds]))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a file says of its trial; ``number`` counts files in the order they were written.

    The defaults are for files of before it was said.
    """

    score: float
    timing: tuple[float, float]
    n_folds: int
    family: str = ""
    number: int = 0

    def rank(self, sign: float) -> tuple[float, int]:
        """Return what sorts the best first, of equal ones the earlier, as a search ranks them."""
        return -sign * self.score, self.number


class Keeper(Protocol):
    """Takes what a complete trial said about rows it was not fitted on."""

    def keep(
        self, params: Params, folds: Sequence[Predictions], *, score: float, timing: Timing
    ) -> None:
        """Keep one trial's answers, over any of the same parameters."""
        ...


class AnswerFiles:
    """The files of one study; those on the shortlist remain, on its shelf if it has one."""

    def __init__(
        self, study_dir: Path, *, higher_is_better: bool, shelf: StudyShelf | None = None
    ) -> None:
        self._folder = study_dir / FOLDER
        self._shelf = shelf
        self._sign = 1.0 if higher_is_better else -1.0
        about = {path: _about(path) for path in self._folder.glob("*.npz")}
        self._kept = {path: _Kept(**known) for path, known in about.items()}

    def keep(
        self, params: Params, folds: Sequence[Predictions], *, score: float, timing: Timing
    ) -> None:
        """Write one trial's answers over any of the same parameters.

        Left out are answers of more than two million numbers: what is decided from them is not
        worth so much disk and memory. Their times are kept.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        given = [numbers_of(fold) for fold in folds]
        arrays = given if sum(part.size for part in given) <= MOST_NUMBERS else []
        path, draft = self._path(params), self._folder / "writing.draft"
        last = max((known.number for known in self._kept.values()), default=0)
        kept = _Kept(
            score=score,
            timing=(timing.fit_s, timing.predict_row_s),
            n_folds=len(arrays),
            family=str(params["trainer"]),
            number=self._kept[path].number if path in self._kept else last + 1,
        )
        with draft.open("wb") as file:
            parts: dict[str, Any] = {f"fold_{i}": part for i, part in enumerate(arrays)}
            np.savez(file, about=np.array(json.dumps(asdict(kept))), **parts)
        if self._shelf is not None:
            self._shelf.put(f"{FOLDER}/{path.name}", draft.read_bytes())
        draft.replace(path)
        self._kept[path] = kept
        self._forget_unlisted()

    def load(
        self,
        params: Params,
        truth: Sequence[NDArray[Any]],
        weights: Sequence[NDArray[np.float64]] | None = None,
    ) -> Answers | None:
        """Return what was kept beside the truth of each fold's rows; None if nothing was.

        ``weights`` are those of the same rows, where rows have some.
        """
        path = self._path(params)
        if path not in self._kept or self._kept[path].n_folds != len(truth):
            return None
        with np.load(path, allow_pickle=False) as file:
            parts = [file[f"fold_{number}"] for number in range(len(truth))]
        beside = [None] * len(parts) if weights is None else weights
        return Answers(tuple(map(predictions_of, truth, parts, beside)))

    def timing(self, params: Params) -> Timing | None:
        """Return how long the trial with these parameters took; None if it was not kept."""
        kept = self._kept.get(self._path(params))
        return None if kept is None else Timing(*kept.timing)

    def _forget_unlisted(self) -> None:
        ranked = sorted(self._kept.items(), key=lambda pair: pair[1].rank(self._sign))
        listed = dict(shortlist(ranked, lambda pair: pair[1].family))
        for path in self._kept.keys() - listed.keys():
            path.unlink(missing_ok=True)
            if self._shelf is not None:
                self._shelf.drop(f"{FOLDER}/{path.name}")
            del self._kept[path]

    def _path(self, params: Params) -> Path:
        content = json.dumps(params, sort_keys=True)
        return self._folder / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.npz"


def _about(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        about: dict[str, Any] = json.loads(str(file["about"]))
        return about


def numbers_of(given: Predictions) -> NDArray[np.float64]:
    """Return the probabilities, shape ``(n_rows, n_classes)``, or the values, ``(n_rows,)``."""
    if given.probabilities.shape[1]:
        return given.probabilities
    return np.asarray(given.predicted, dtype=np.float64)


def predictions_of(
    truth: NDArray[Any],
    numbers: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> Predictions:
    """Undo ``numbers_of``, with the most probable class predicted."""
    if numbers.ndim == 1:
        return Predictions(truth, numbers, np.empty((len(truth), 0)), weights)
    return Predictions(truth, numbers.argmax(axis=1), numbers, weights)
