"""Tables of cases with planted patterns, or with none, whose truth is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

__all__ = ["World", "make_world"]

N_FEATURES = 40
SIZES = (1, 1, 1, 2, 2, 2, 2, 3)
EFFECT, BASE = 0.10, 0.45
LEAST_SUPPORT = 0.04  # of a planted pattern
BLOCK = 4  # features that go together, in a correlated world
N_TRUTH = 40_000


@dataclass(frozen=True, slots=True)
class World:
    """What one seed makes of the world: features, outcome, and what was planted.

    Attributes:
        features: shape ``(n_cases, 40)``.
        outcome: shape ``(n_cases,)``, 0 or 1.
        planted: features of each planted pattern, ascending.
        fresh: features of 40,000 more cases.
        chances: the chance of 1 of each of these, without noise.
    """

    features: NDArray[np.bool_]
    outcome: NDArray[np.float64]
    planted: tuple[tuple[int, ...], ...]
    fresh: NDArray[np.bool_]
    chances: NDArray[np.float64]

    def true_effects(self, patterns: list[tuple[int, ...]]) -> NDArray[np.float64]:
        """Return the effects of patterns in one regression on chances, without noise."""
        columns = [self.fresh[:, list(pattern)].all(axis=1) for pattern in patterns]
        design = np.column_stack([np.ones(len(self.fresh)), *columns]).astype(np.float64)
        fit = np.linalg.lstsq(design, self.chances, rcond=None)[0]
        return np.asarray(fit[1:], dtype=np.float64)


def make_world(seed: int, n_cases: int, *, correlation: float, is_null: bool) -> World:
    """Return a world of 40 features, each held by 20 to 50 % of the cases.

    Eight patterns (three of one feature, four of two, one of three; features may be shared, no
    pattern lies in another) move the chance of 1 by 10 points, up or down, from 45 %. With
    ``correlation`` each four neighbouring features are cut from normal numbers so correlated.
    """
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0.2, 0.5, N_FEATURES)
    fresh = _draw(rng, N_TRUTH, shares, correlation)
    planted = () if is_null else _planted(rng, fresh)
    effects = rng.choice([-EFFECT, EFFECT], len(planted))
    features = _draw(rng, n_cases, shares, correlation)
    outcome = (rng.random(n_cases) < _chances(features, planted, effects)).astype(np.float64)
    return World(features, outcome, planted, fresh, _chances(fresh, planted, effects))


def _draw(
    rng: np.random.Generator, n: int, shares: NDArray[np.float64], correlation: float
) -> NDArray[np.bool_]:
    own = rng.normal(size=(n, N_FEATURES))
    shared = rng.normal(size=(n, N_FEATURES // BLOCK))[:, np.arange(N_FEATURES) // BLOCK]
    mixed = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return np.asarray(mixed < norm.ppf(shares))


def _planted(rng: np.random.Generator, fresh: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
    found: list[tuple[int, ...]] = []
    for size in SIZES:
        while True:
            one = tuple(sorted(int(i) for i in rng.choice(N_FEATURES, size, replace=False)))
            is_nested = any(set(one) <= set(o) or set(o) <= set(one) for o in found)
            if not is_nested and fresh[:, list(one)].all(axis=1).mean() >= LEAST_SUPPORT:
                found.append(one)
                break
    return tuple(found)


def _chances(
    features: NDArray[np.bool_], planted: tuple[tuple[int, ...], ...], effects: NDArray[np.float64]
) -> NDArray[np.float64]:
    chances = np.full(len(features), BASE)
    for pattern, effect in zip(planted, effects, strict=True):
        chances += effect * features[:, list(pattern)].all(axis=1)
    return np.asarray(np.clip(chances, 0.01, 0.99))
