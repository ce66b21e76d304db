"""Which of several arms is best, as a Bayesian says it, by integration and not by drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, norm

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.mean_tests import SampleMean
from ml_orchestrator.numerics.proportions import Successes

__all__ = ["Belief", "best_of", "difference_interval", "mean_posterior", "rate_posterior"]

N_POINTS = 40  # of the quadrature, on each piece
N_PIECES = 8
TAIL = 1e-12
Posterior = Any  # a frozen distribution of scipy.stats


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of each arm, shape ``(n_arms,)`` each.

    Attributes:
        chance_best: probability that its truth is the largest; the sum is 1.
        expected_loss: how much is lost on average by choosing it, in units of the outcome.
    """

    chance_best: NDArray[np.float64]
    expected_loss: NDArray[np.float64]


def rate_posterior(counts: Successes, *, prior: tuple[float, float] = (1.0, 1.0)) -> Posterior:
    """Return the Beta posterior of a rate.

    >>> rate_posterior(Successes(7, 10)).mean().round(4).item()
    0.6667
    """
    return beta(prior[0] + counts.successes, prior[1] + counts.n - counts.successes)


def mean_posterior(sample: SampleMean, *, prior_mean: float, prior_sd: float) -> Posterior:
    """Return the normal posterior of a mean whose standard error is taken as known.

    >>> sample = SampleMean(9, 2.0, 1.0)
    >>> round(float(mean_posterior(sample, prior_mean=0.0, prior_sd=1.0).mean()), 3)
    1.0
    """
    if sample.variance <= 0 or prior_sd <= 0:
        raise InvalidInputError(
            "A normal posterior needs values that vary, and a prior with a spread above 0."
        )
    weight = prior_sd**2 / (prior_sd**2 + sample.variance)
    middle = weight * sample.mean + (1 - weight) * prior_mean
    return norm(middle, np.sqrt(weight * sample.variance))


def best_of(posteriors: Sequence[Posterior]) -> Belief:
    """Return the chance of each arm to be best, and what choosing it would lose on average.

    Both are one-dimensional integrals over independent posteriors, taken by Gauss-Legendre
    quadrature; the error is below 1e-8.

    References:
        C. Stucchio, "Bayesian A/B testing at VWO", 2015, for the expected loss.

    >>> belief = best_of([rate_posterior(Successes(0, 0 + 1)), rate_posterior(Successes(1, 1))])
    >>> round(belief.chance_best[1].item(), 4)  # Beta(1, 2) against Beta(2, 1): 5 / 6
    0.8333
    """
    x, weights = _grid(posteriors)
    densities = np.stack([p.pdf(x) for p in posteriors])
    below = np.stack([p.cdf(x) for p in posteriors])
    others = np.stack(
        [np.prod(np.delete(below, i, axis=0), axis=0) for i in range(len(posteriors))]
    )
    chances = (densities * others) @ weights
    # E[max] - E[arm] is the integral of (cdf of the arm - cdf of the largest).
    losses = (below - np.prod(below, axis=0)) @ weights
    return Belief(chances / chances.sum(), np.maximum(0.0, losses))


def difference_interval(
    first: Posterior, second: Posterior, *, alpha: float
) -> tuple[float, float]:
    """Return the equal-tailed credible interval of ``second - first`` at ``1 - alpha``.

    >>> low, high = difference_interval(norm(0, 3), norm(0, 4), alpha=0.05)
    >>> round(low, 4), round(high, 4)
    (-9.7998, 9.7998)
    """
    x, weights = _grid([first])
    mass = first.pdf(x) * weights
    mass = mass / mass.sum()
    ends = [p.ppf([TAIL, 1 - TAIL]) for p in (first, second)]
    least, most = ends[1][0] - ends[0][1], ends[1][1] - ends[0][0]

    def quantile(share: float) -> float:
        def gap(d: float) -> float:
            return float(mass @ second.cdf(x + d)) - share

        return float(brentq(gap, least, most, xtol=1e-12))

    return quantile(alpha / 2), quantile(1 - alpha / 2)


def _grid(posteriors: Sequence[Posterior]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points and weights that resolve every posterior where it has its mass."""
    ends = np.array([p.ppf([TAIL, 0.01, 0.5, 0.99, 1 - TAIL]) for p in posteriors])
    cuts = np.unique(ends)
    if cuts.size < N_PIECES:
        cuts = np.unique(np.concatenate([cuts, np.linspace(cuts[0], cuts[-1], N_PIECES)]))
    nodes, base = np.polynomial.legendre.leggauss(N_POINTS)
    widths = np.diff(cuts)
    points = cuts[:-1, None] + (nodes + 1) / 2 * widths[:, None]
    return points.ravel(), (base / 2 * widths[:, None]).ravel()
