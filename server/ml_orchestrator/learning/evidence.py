"""What judged decisions say, in memory: rows that arrive once and are kept as arrays."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.learning.bandwidth import best_bandwidths
from ml_orchestrator.numerics.bandits.ridge import FadingRidge

__all__ = ["DISCOUNT", "Evidence", "Judged", "last_to_forget", "with_intercept"]

DISCOUNT = 0.999  # of a judged decision, by the next one: after 693 it counts for half
BLOCK = 10_000  # numbers of feedback: the newest whole block is held, and what follows it
COLUMNS = ("_contexts", "_rewards", "_propensities", "_arms", "_numbers")
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

    What it says depends on its rows alone, and which rows are held on the number of the newest
    (`last_to_forget`); so it is the same after a restart, as long as the log has these rows.
    Adding a row costs the same however many there are.

    Args:
        n_features: of a context.
    """

    def __init__(self, n_features: int) -> None:
        self._n = 0
        self._contexts = np.empty((256, n_features))
        self._rewards = np.empty(256)
        self._propensities = np.empty(256)
        self._arms = np.empty(256, dtype=np.int64)
        self._numbers = np.empty(256, dtype=np.int64)
        self._codes: dict[str, int] = {}
        self._linear: dict[str, FadingRidge] = {}
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

    def linear_reward(self, key: str, context: NDArray[np.float64], *, alpha: float) -> float:
        """Return a candidate's linear reward, and ``alpha`` times how little it is known.

        By a ridge regression with intercept, in which older rows fade.
        """
        return self._model(key).upper_mean(self._n - 1, with_intercept(context), alpha=alpha)

    def add(self, rows: Iterable[Judged]) -> None:
        """Take rows that follow those already here."""
        for row in rows:
            if self._n == len(self._rewards):
                self._make_room()
            self._contexts[self._n] = row.context
            self._rewards[self._n] = row.reward
            self._propensities[self._n] = row.propensity
            self._numbers[self._n] = row.seq
            self._arms[self._n] = self._codes.setdefault(row.key, len(self._codes))
            self._n += 1
            self._fit(row.key, self._n - 1)
        self._look()

    def forget(self, last: int) -> None:
        """Let go of the rows whose number is at most ``last``."""
        n_gone = int(np.searchsorted(self._numbers[: self._n], last, side="right"))
        if not n_gone:
            return
        keys = {code: key for key, code in self._codes.items()}
        for name in COLUMNS:
            setattr(self, name, getattr(self, name)[n_gone:].copy())
        self._n -= n_gone
        left = [keys[int(code)] for code in self._arms[: self._n]]
        self._linear.clear()
        for row, key in enumerate(left):
            self._fit(key, row)
        self._looked_at = 0
        self.bandwidths = np.full_like(self.bandwidths, np.inf)
        self._look()

    def _make_room(self) -> None:
        """Double the space."""
        for name in COLUMNS:
            old = getattr(self, name)
            more = np.empty((max(len(old), 256), *old.shape[1:]), dtype=old.dtype)
            setattr(self, name, np.concatenate([old, more]))

    def _fit(self, key: str, row: int) -> None:
        model = self._linear.setdefault(key, self._model(key))
        model.update(row, with_intercept(self._contexts[row]), float(self._rewards[row]))

    def _model(self, key: str) -> FadingRidge:
        known = self._linear.get(key)
        return known or FadingRidge(self._contexts.shape[1] + 1, discount=DISCOUNT)

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


def last_to_forget(newest: int) -> int:
    """Return up to which number feedback is let go: all before the newest whole block.

    So between 10,000 and 20,000 numbers are held; what is older has faded to less than 1/20,000.

    >>> [last_to_forget(newest) for newest in (9, 19_999, 20_000, 30_500)]
    [0, 0, 10000, 20000]
    """
    return max(0, newest // BLOCK - 1) * BLOCK


def with_intercept(context: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a context with a feature more that is always 1."""
    return np.append(context, 1.0)
