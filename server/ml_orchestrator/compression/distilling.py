"""A small model that learns from a large one what it would say.

The student is fitted on the teacher's answers, on the training rows and on new ones made of them
(G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015). For classes
the answers are probabilities: each row stands once for each class, weighted by its probability,
which gives the cross-entropy to the teacher with every classifier that takes weights. What
prepares the columns is fitted on the true rows alone; where it tells a category by the mean of the
target, a true row gets that of other rows.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from ml_orchestrator.compression.augmentation import augmented
from ml_orchestrator.compression.measuring import size_bytes
from ml_orchestrator.compression.models import Student
from ml_orchestrator.compression.quality import Bar

__all__ = ["Candidate", "Lesson", "choose", "fidelity", "taught"]

N_COPIES = 4  # new rows for each row
MOST_ROWS = 100_000  # to learn from, unless there are more true ones
LEAST_SHARE = 0.01  # probability below which a class is left out of a row


@dataclass(frozen=True, slots=True)
class Candidate:
    """A small model that could be the student.

    Attributes:
        name: family and size, for people.
        build: makes the unfitted pipeline; its last step is the model, which takes weights.
        finish: makes of the fitted pipeline what is saved.
    """

    name: str
    build: Callable[[], Pipeline]
    finish: Callable[[Pipeline], Any]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Rows to learn on: raw columns, what is true, ``(n_rows,)``, and how much each counts."""

    rows: pd.DataFrame
    labels: NDArray[Any]
    weights: NDArray[np.float64] | None = None


def taught(candidate: Candidate, teacher: Any, lesson: Lesson, *, seed: int) -> Any:
    """Return the candidate, fitted on what the teacher says of the lesson and of rows like it."""
    n_true = len(lesson.rows)
    n_copies = max(0, min(N_COPIES, MOST_ROWS // n_true - 1))
    rows = lesson.rows.reset_index(drop=True)
    if n_copies:
        rows = pd.concat([rows, augmented(lesson.rows, n_copies, seed=seed)], ignore_index=True)
    weights: NDArray[np.float64] = np.ones(len(rows))
    if lesson.weights is not None:
        # New rows are made of all the rows in order, once a copy, and count like them.
        weights = np.tile(lesson.weights / lesson.weights.mean(), n_copies + 1)
    pipeline = candidate.build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        warnings.filterwarnings("ignore", message="Got `batch_size`")
        prepared = _prepared(pipeline[:-1], lesson, rows)
        model = pipeline.steps[-1][1]
        if hasattr(teacher, "predict_proba"):
            shares = teacher.predict_proba(rows)
            places, codes, counts = _softened(shares)
            labels = np.asarray(teacher.classes_)[codes]
            model.fit(prepared[places], labels, sample_weight=counts * weights[places])
        elif lesson.weights is None:
            model.fit(prepared, teacher.predict(rows))
        else:
            model.fit(prepared, teacher.predict(rows), sample_weight=weights)
    return candidate.finish(pipeline)


def choose(
    candidates: Sequence[Candidate],
    teacher: Any,
    lesson: Lesson,
    unseen: pd.DataFrame,
    *,
    score: Callable[[Any], float],
    bar: Bar,
    seed: int,
    tell: Callable[[int, str], None],
) -> tuple[int, tuple[Student, ...]]:
    """Return which candidate to take, by its place, and what was found of all.

    Each is taught by ``teacher`` on ``lesson`` and judged on ``unseen`` rows, which neither has
    seen. Taken is the smallest file of those that lose at most half the tolerance; of none, the
    best.

    Args:
        candidates: at least one.
        teacher: fitted on the lesson's rows alone.
        lesson: what to teach.
        unseen: raw rows to judge on.
        score: the metric of a model there.
        bar: the metric's direction, its baseline there, and the tolerance.
        seed: of new rows.
        tell: told the number and the name of each before it is tried.
    """
    found = []
    for number, candidate in enumerate(candidates):
        tell(number, candidate.name)
        student = taught(candidate, teacher, lesson, seed=seed)
        found.append(
            Student(
                name=candidate.name,
                score=score(student),
                fidelity=fidelity(teacher, student, unseen),
                size_bytes=size_bytes(student),
            )
        )
    wanted = score(teacher)
    able = [i for i, s in enumerate(found) if bar.is_close(s.score, wanted)]
    if able:
        return min(able, key=lambda i: found[i].size_bytes), tuple(found)
    return max(range(len(found)), key=lambda i: bar.sign * found[i].score), tuple(found)


def fidelity(teacher: Any, student: Any, rows: pd.DataFrame) -> float:
    """Return the share of rows with the teacher's class, or R squared to its values."""
    wanted, given = np.asarray(teacher.predict(rows)), np.asarray(student.predict(rows))
    if hasattr(teacher, "predict_proba"):
        return float(np.mean(wanted == given))
    apart = float(np.mean((wanted - given) ** 2))
    spread = float(np.var(wanted))
    return 1.0 - apart / spread if spread > 0 else float(apart == 0)


def _prepared(steps: Pipeline, lesson: Lesson, rows: pd.DataFrame) -> NDArray[Any]:
    """Fit the steps on the true rows, which come first, and return what they make of all.

    In one call for the true ones, so that means of the target leave a row's own label out.
    """
    true = np.asarray(steps.fit_transform(lesson.rows, lesson.labels))
    new = rows.iloc[len(true) :]
    return np.concatenate([true, np.asarray(steps.transform(new))]) if len(new) else true


def _softened(
    shares: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return a row's place, a class and a weight for each probability that counts.

    A class that is nowhere probable keeps the row where it is most so: all classes are learnt.
    """
    counts = shares >= LEAST_SHARE
    for code in np.flatnonzero(~counts.any(axis=0)):
        counts[int(shares[:, code].argmax()), code] = True
    places, codes = np.nonzero(counts)
    return places, codes, np.maximum(shares[places, codes], 1e-6)
