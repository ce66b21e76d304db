"""Which model family the next trial goes to.

Each rule sees the finished trials and nothing else: neither the clock nor how many are to come.
So the same trials give the same choice, and a search may be continued with more of them.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.numerics.bandits.floor import with_floor

__all__ = ["ALLOCATIONS", "Allocation", "Outcomes"]

Outcomes = Mapping[str, Sequence[float]]
"""The values of each family's finished trials, in order, higher is better; NaN where it failed."""

Allocation = Callable[[Outcomes, np.random.Generator], str]
"""Returns one of the families; each is in ``Outcomes``, perhaps without a trial."""

ALLOCATIONS: Catalog[Allocation] = Catalog("allocation")

N_FOR_A_SPREAD = 2  # trials of each family
EXPLORED = 0.1  # share of the trials that any family may get
HALVING_STARTS = 3
GOOD_SHARE = 0.15


@ALLOCATIONS.register("uniform")
def uniform(outcomes: Outcomes, rng: np.random.Generator) -> str:
    """Return the family that was tried least."""
    return _least_tried(outcomes, tuple(outcomes))


@ALLOCATIONS.register("halving")
def halving(outcomes: Outcomes, rng: np.random.Generator) -> str:
    """Return a family that was not given up: after 3, 6, 12, … trials each, half of them are.

    Reference: K. Jamieson, A. Talwalkar, Non-stochastic best arm identification and
    hyperparameter optimization, 2016.
    """
    left, wanted = tuple(outcomes), HALVING_STARTS
    while len(left) > 1:
        if min(len(outcomes[name]) for name in left) < wanted:
            return _least_tried(outcomes, left)
        ranked = sorted(left, key=lambda name: -_best(outcomes[name]))
        left, wanted = tuple(ranked[: (len(left) + 1) // 2]), wanted * 2
    return left[0]


@ALLOCATIONS.register("improvement")
def improvement(outcomes: Outcomes, rng: np.random.Generator) -> str:
    """Return a family in proportion to how much its next trial is expected to improve the best.

    A family's values are taken for draws of one normal distribution, whose improvement on the
    best of all is known (J. Mockus, 1975). One trial in ten goes to any family, so that none is
    given up for bad luck.
    """
    if min(map(len, outcomes.values())) < N_FOR_A_SPREAD:
        return _least_tried(outcomes, tuple(outcomes))
    names = list(outcomes)
    known = np.concatenate([np.asarray(outcomes[name], dtype=float) for name in names])
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return _least_tried(outcomes, tuple(outcomes))
    gains = np.maximum([_expected_gain(outcomes[name], known) for name in names], 0.0)
    shares = with_floor(gains if gains.sum() > 0 else np.ones(len(names)), EXPLORED)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


@ALLOCATIONS.register("bandit")
def bandit(outcomes: Outcomes, rng: np.random.Generator) -> str:
    """Return the family that is commoner among the best 15 % of trials than among the others.

    What a tree-structured Parzen estimator does with a categorical parameter (J. Bergstra et
    al., 2011): 24 draws from the one distribution, of which the best ratio is taken.
    """
    if not all(outcomes.values()):
        return _least_tried(outcomes, tuple(outcomes))
    names = list(outcomes)
    pairs = [(value, i) for i, name in enumerate(names) for value in outcomes[name]]
    ranked = [i for _, i in sorted(pairs, key=lambda p: -np.nan_to_num(p[0], nan=-np.inf))]
    n_good = int(np.ceil(GOOD_SHARE * len(ranked)))
    good, bad = (
        _shares(np.array(part, dtype=np.int64), len(names))
        for part in (ranked[:n_good], ranked[n_good:])
    )
    drawn = rng.choice(len(names), size=24, p=good)
    return names[int(max(drawn, key=lambda i: good[i] / bad[i]))]


def _expected_gain(values: Sequence[float], known: NDArray[np.float64]) -> float:
    own = np.nan_to_num(np.asarray(values, dtype=float), nan=float(known.min()))
    spread = max(float(own.std(ddof=1)), 0.05 * float(known.std()), 1e-12)
    spread *= np.sqrt(1 + 1 / len(own))
    distance = (float(own.mean()) - float(known.max())) / spread
    return float(spread * (distance * norm.cdf(distance) + norm.pdf(distance)))


def _shares(chosen: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    counts = np.bincount(chosen, minlength=n) + 1.0
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _least_tried(outcomes: Outcomes, names: Sequence[str]) -> str:
    return min(names, key=lambda name: len(outcomes[name]))


def _best(values: Sequence[float]) -> float:
    return max((value for value in values if np.isfinite(value)), default=-np.inf)
