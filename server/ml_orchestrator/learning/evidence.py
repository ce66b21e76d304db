"""What judged decisions say, in memory: rows that arrive once and are kept as arrays."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.learning.bandwidth import best_bandwidths
from ml_orchestrator.numerics.bandits.ridge import RidgeArms

__all__ = ["MOST_ROWS", "Evidence", "Judged", "with_intercept"]

MOST_ROWS = 10_000  # the newest are kept, up to twice as many; older ones have faded
FIRST_LOOK = 64


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision and its reward."""

    seq: int
    context: tuple[float, ...]
    key: str
    reward: float
    propensity: float = 1.0


class Evidence:
    """Judged decisions whose contexts have one length, oldest first.

    What it says depends on its rows alone, so it is the same after a restart. Adding a row costs
    the same however many there are.

    Args:
        n_features: of a context.
    """

    def __init__(self, n_features: int) -> None:
        self._n = 0
        self._contexts = np.empty((256, n_features))
        self._rewards = np.empty(256)
        self._propensities = np.empty(256)
        self._arms = np.empty(256, dtype=np.int64)
        self._codes: dict[str, int] = {}
        self._linear: dict[str, RidgeArms] = {}
        self._looked_at = 0
        self.bandwidths = np.full(n_features, np.inf)

    def __len__(self) -> int:
        return self._n

    @property
    def contexts(self) -> NDArray[np.float64]:
        """Shape ``(n_rows, n_features)``."""
        return self._contexts[: self._n]

    @property
    def rewards(self) -> NDArray[np.float64]:
        """Shape ``(n_rows,)``, within [0, 1]."""
        return self._rewards[: self._n]

    def rows_of(self, key: str) -> NDArray[np.bool_]:
        """Return which rows chose ``key``, shape ``(n_rows,)``."""
        return np.asarray(self._arms[: self._n] == self._codes.get(key, -1))

    def linear(self, key: str) -> RidgeArms:
        """Return the ridge regression, with intercept, of one candidate's rewards."""
        unknown = RidgeArms(1, self._contexts.shape[1] + 1)
        return self._linear.get(key, unknown)

    def add(self, rows: Iterable[Judged]) -> None:
        """Take rows that follow those already here."""
        for row in rows:
            if self._n == len(self._rewards):
                self._make_room()
            self._contexts[self._n] = row.context
            self._rewards[self._n] = row.reward
            self._propensities[self._n] = row.propensity
            self._arms[self._n] = self._codes.setdefault(row.key, len(self._codes))
            self._n += 1
            self._fit(row.key, self._n - 1)
        self._look()

    def _make_room(self) -> None:
        """Double the space, or drop the older half of what is more than enough."""
        start = self._n - MOST_ROWS if self._n >= 2 * MOST_ROWS else 0
        size = max(2 * MOST_ROWS if start else 2 * self._n, 256)
        for name in ("_contexts", "_rewards", "_propensities", "_arms"):
            old = getattr(self, name)[start : self._n]
            new = np.empty((size, *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self._n -= start
        self._looked_at = 0
        if start:
            self._fit_anew()

    def _fit_anew(self) -> None:
        self._linear.clear()
        names = {code: key for key, code in self._codes.items()}
        for row in range(self._n):
            self._fit(names[int(self._arms[row])], row)

    def _fit(self, key: str, row: int) -> None:
        model = self._linear.setdefault(key, self.linear(key))
        model.update(0, with_intercept(self._contexts[row]), float(self._rewards[row]))

    def _look(self) -> None:
        """Choose the bandwidths from the first 64 rows, 128, 256, and so on."""
        if self._n < FIRST_LOOK:
            return
        n = FIRST_LOOK << (self._n // FIRST_LOOK).bit_length() - 1
        if n != self._looked_at:
            self._looked_at = n
            self.bandwidths = best_bandwidths(
                self._contexts[:n], self._arms[:n], self._rewards[:n], self._propensities[:n]
            )


def with_intercept(context: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a context with a feature more that is always 1."""
    return np.append(context, 1.0)
