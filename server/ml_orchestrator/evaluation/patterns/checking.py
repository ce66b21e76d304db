"""Selected patterns held against cases that did not choose them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml_orchestrator.evaluation.patterns.candidates import Candidate
from ml_orchestrator.evaluation.patterns.certainty import certain_effects, leaves_no_rest
from ml_orchestrator.evaluation.patterns.models import Effect
from ml_orchestrator.numerics.robust_regression import robust_fit

__all__ = ["Measured", "measure"]

LEAST_HOLDERS = 10  # cases (or groups) that hold a pattern, and that do not, to measure it
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Measured:
    """The joint effects of patterns on some cases; None where too few cases tell.

    Attributes:
        effects: one for each pattern.
        in_direction: p value that the effect does not go the way it was expected to go; 1
            without an effect.
        residuals: shape ``(n_rows,)``.
    """

    effects: tuple[Effect | None, ...]
    in_direction: NDArray[np.float64]
    residuals: NDArray[np.float64]

    @property
    def signs(self) -> NDArray[np.float64]:
        """Signs of the effects, 0 without one."""
        return np.array([0.0 if e is None else np.sign(e.effect) for e in self.effects])


def measure(
    patterns: list[Candidate],
    outcome: NDArray[np.float64],
    rows: NDArray[np.int64],
    *,
    groups: NDArray[np.int64] | None,
    expected: NDArray[np.float64] | None = None,
) -> Measured:
    """Return the effect of each pattern, all in one regression, with robust standard errors.

    Args:
        patterns: the model.
        outcome: of all cases.
        rows: the cases to look at.
        groups: of all cases; errors are then those of groups.
        expected: sign that each effect should have; p values in that direction use it.
    """
    columns = np.array([p.holds[rows] for p in patterns]).reshape(len(patterns), len(rows))
    columns = columns.T.astype(np.float64)
    of_rows = None if groups is None else groups[rows]
    told = _told(columns, of_rows)
    fit = robust_fit(columns[:, told], outcome[rows], of_rows)
    effects: list[Effect | None] = [None] * len(patterns)
    p_values = np.ones(len(patterns))
    if leaves_no_rest(outcome[rows], fit.residuals):
        certain = certain_effects(columns[:, told], outcome[rows], fit.effects, of_rows)
        for i, found in zip(told, certain, strict=True):
            effects[i] = found
            if expected is not None:
                tail = found.p_value / 2
                p_values[i] = tail if found.effect * expected[i] > 0 else 1 - tail
        return Measured(tuple(effects), p_values, fit.residuals)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, fit.freedom))
    for i, effect, error in zip(told, fit.effects, fit.errors, strict=True):
        if error <= 0:
            continue
        t = effect / error
        effects[i] = Effect(
            effect=float(effect),
            low=float(effect - reach * error),
            high=float(effect + reach * error),
            p_value=float(2 * stats.t.sf(abs(t), fit.freedom)),
        )
        if expected is not None:
            p_values[i] = float(stats.t.sf(t * expected[i], fit.freedom))
    return Measured(tuple(effects), p_values, fit.residuals)


def _told(columns: NDArray[np.float64], groups: NDArray[np.int64] | None) -> list[int]:
    """Return the columns whose effect these cases can tell: held by enough, not made of others."""
    told: list[int] = []
    for i, column in enumerate(columns.T):
        holders, others = np.flatnonzero(column), np.flatnonzero(column == 0)
        if groups is not None:
            holders, others = np.unique(groups[holders]), np.unique(groups[others])
        if min(holders.size, others.size) < LEAST_HOLDERS:
            continue
        chosen = columns[:, [*told, i]] - columns[:, [*told, i]].mean(axis=0)
        triangle = np.asarray(np.linalg.qr(chosen, mode="r"))
        pivot = float(triangle[-1, -1]) ** 2
        if pivot > 1e-6 * (chosen[:, -1] ** 2).sum():
            told.append(i)
    return told
