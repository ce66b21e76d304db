"""Whether logged propensities can be those the actions were drawn by, action by action."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ml_orchestrator.numerics.off_policy import LARGEST_IMBALANCE

__all__ = ["Contradiction", "contradiction_in"]

FEWEST_TAKEN = 30  # rows of an action; fewer say little of its propensities
FALSE_SHARE = 0.001  # of logs with right propensities, over all checks of all actions


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An action whose rows are not as many as their propensities say.

    Attributes:
        action: its index.
        ratio: the sum of 1 / propensity over its rows, divided by the rows in which it could be
            taken, as far as is known.
        allowed: the distance to 1 that is tolerated: 0.1, or what chance explains if that is more.
    """

    action: int
    ratio: float
    allowed: float


def contradiction_in(
    actions: NDArray[np.intp],
    propensities: NDArray[np.float64],
    target: NDArray[np.float64] | None = None,
) -> Contradiction | None:
    """Return the action that contradicts the propensities most; None where none does.

    The sum of 1 / propensity over the rows of an action is on average the number of rows in which
    it had a chance, so it may not exceed that of all rows. Where the target policy is known, it
    must also come to the number of rows in which that policy gives the action any chance, and to
    those in which it gives at least half of the most it ever gives. Checked are actions with 30
    rows; tolerated is 0.1, or what chance explains if more, all checks together at 0.1 %.

    Args:
        actions: shape ``(n,)``, indices of the actions taken.
        propensities: shape ``(n,)``, above 0 and at most 1.
        target: shape ``(n, n_actions)``, the target policy's chance of each action.

    >>> actions, halves = np.repeat([0, 1], [3_500, 6_500]), np.full(10_000, 0.5)
    >>> contradiction_in(actions, halves)
    Contradiction(action=1, ratio=1.3, allowed=0.1)
    """
    sums = [_in_all(actions, propensities)]
    if target is not None:
        sums += [
            _in_some(actions, propensities, target > 0),
            _in_some(actions, propensities, (target > 0) & (target >= target.max(axis=0) / 2)),
        ]
    n_checks = sum(int(each.is_checked.sum()) for each in sums)
    if not n_checks:
        return None
    errors = float(-ndtri(FALSE_SHARE / 2 / n_checks))
    found = [each.over(errors) for each in sums]
    found += [each.under(errors) for each in sums[1:]]  # not all rows need offer an action
    return _worst(found)


@dataclass(frozen=True, slots=True)
class _Summed:
    """Sums of 1 / propensity over some rows, each attribute of shape ``(n_actions,)``.

    Attributes:
        n_due: the rows, to which the sums should come.
        n_taken: those in which the action was taken.
        total: the sum.
        squares: the sum of squares.
        largest: 1 / propensity at most, as far as the rows tell.
    """

    n_due: NDArray[np.float64]
    n_taken: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    largest: NDArray[np.float64]

    @property
    def is_checked(self) -> NDArray[np.bool_]:
        """Whether an action has enough rows."""
        return self.n_taken >= FEWEST_TAKEN

    def over(self, errors: float) -> list[Contradiction]:
        """Return the actions that count for too many rows."""
        variance = np.maximum(self.squares - self.n_due, 0.0)
        return self._beyond(errors * np.sqrt(variance), sign=1)

    def under(self, errors: float) -> list[Contradiction]:
        """Return the actions that count for too few.

        Then rows of small propensities may be missing by chance, and the squares with them: the
        squares are scaled up to what is due, and some rows of the largest size are added.
        """
        share = np.where(self.total > 0, np.minimum(self.total / np.maximum(self.n_due, 1), 1), 1)
        missing = errors**2 * self.largest**2
        variance = np.maximum(self.squares / share - self.n_due, 0.0) + missing
        return self._beyond(errors * np.sqrt(variance), sign=-1)

    def _beyond(self, reach: NDArray[np.float64], *, sign: int) -> list[Contradiction]:
        due = np.maximum(self.n_due, 1)
        ratio, allowed = self.total / due, np.maximum(LARGEST_IMBALANCE, reach / due)
        places = np.flatnonzero(self.is_checked & (sign * (ratio - 1) > allowed))
        return [Contradiction(int(k), float(ratio[k]), float(allowed[k])) for k in places]


def _in_all(actions: NDArray[np.intp], propensities: NDArray[np.float64]) -> _Summed:
    """Return the sums over all rows."""
    n_actions = int(actions.max()) + 1
    terms = 1 / propensities
    return _Summed(
        n_due=np.full(n_actions, float(len(actions))),
        n_taken=np.bincount(actions, minlength=n_actions).astype(np.float64),
        total=np.bincount(actions, terms, n_actions).astype(np.float64),
        squares=np.bincount(actions, terms * terms, n_actions).astype(np.float64),
        largest=np.full(n_actions, terms.max()),
    )


def _in_some(
    actions: NDArray[np.intp], propensities: NDArray[np.float64], rows: NDArray[np.bool_]
) -> _Summed:
    """Return the sums over those rows of each action, shape ``(n, n_actions)``, given as true."""
    n, n_actions = rows.shape
    counts = rows[np.arange(n), actions]
    taken, terms = actions[counts], 1 / propensities[counts]
    with np.errstate(divide="ignore"):
        others = 1 / (1 - propensities)  # no other action's chance exceeds 1 - propensity
    is_other = rows & (np.arange(n_actions) != actions[:, None])
    largest = np.max(np.where(is_other, others[:, None], 1.0), axis=0, initial=1.0)
    return _Summed(
        n_due=rows.sum(axis=0).astype(np.float64),
        n_taken=np.bincount(taken, minlength=n_actions).astype(np.float64),
        total=np.bincount(taken, terms, n_actions).astype(np.float64),
        squares=np.bincount(taken, terms * terms, n_actions).astype(np.float64),
        largest=np.maximum(largest, (1 / propensities).max()),
    )


def _worst(found: Sequence[Sequence[Contradiction]]) -> Contradiction | None:
    every = [each for some in found for each in some]
    return max(every, key=lambda each: abs(each.ratio - 1) / each.allowed, default=None)
