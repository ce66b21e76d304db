"""Generated tables of known best score, as problems for a search."""

import hashlib
from collections.abc import Iterator

import numpy as np
import polars as pl
from _real_tables import Problem
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1

from ml_orchestrator.datasets.kinds import normalise
from ml_orchestrator.datasets.sources import Dataset

__all__ = ["known_problems"]

N_ROWS = 1_000


def known_problems() -> Iterator[tuple[Problem, float]]:
    """Give each problem with the score (R2 or ROC AUC) that knowing the truth would have."""
    rng = np.random.default_rng(0)
    yield _friedman()
    yield _logit(rng)
    yield _interactions(rng)


def _friedman() -> tuple[Problem, float]:
    features, clean = make_friedman1(N_ROWS, n_features=10, noise=0.0, random_state=0)
    target = clean + np.random.default_rng(1).normal(0, 2.0, N_ROWS)
    best = 1 - float(np.mean((target - clean) ** 2) / np.var(target))
    return _problem("friedman1", features, target, "regression"), best


def _logit(rng: np.random.Generator) -> tuple[Problem, float]:
    features = rng.normal(size=(N_ROWS, 12))
    odds = features[:, :4] @ [1.0, -0.8, 0.6, 0.4]
    label = rng.random(N_ROWS) < 1 / (1 + np.exp(-odds))
    return _problem("logit", features, label, "classification"), _auc(label, odds)


def _interactions(rng: np.random.Generator) -> tuple[Problem, float]:
    features = rng.uniform(-1, 1, (N_ROWS, 8))
    odds = 6 * features[:, 0] * features[:, 1] + 2 * features[:, 2] * (features[:, 3] > 0)
    label = rng.random(N_ROWS) < 1 / (1 + np.exp(-odds))
    return _problem("interactions", features, label, "classification"), _auc(label, odds)


def _auc(label: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    above = score[label][:, None] > score[~label][None, :]
    return float(above.mean())


def _problem(
    name: str, features: NDArray[np.float64], target: NDArray[np.generic], task: str
) -> Problem:
    frame = pl.DataFrame(features, schema=[f"x{i}" for i in range(features.shape[1])])
    rows = normalise(frame.with_columns(y=pl.Series(target)))
    digest = hashlib.sha256(rows.write_csv().encode()).hexdigest()
    return Problem(name, name, task, Dataset(name, rows, digest, name, "y"))
