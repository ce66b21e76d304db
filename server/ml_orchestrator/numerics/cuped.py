"""Less noise from what was known before: outcomes adjusted by a covariate of the time before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["Adjusted", "adjust"]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Outcomes less what the covariate explains.

    Attributes:
        arms: one array for each arm, in the order given; the mean of all values is unchanged.
        slope: outcome for each unit of the covariate.
        variance_removed: share of the variance within arms that is gone, 0..1.
        slope_squares: what is left of the sum of squares within arms, over that of the covariate;
            over its degrees of freedom it is the variance of the slope.
        gaps: mean of the covariate in each arm, less that of all.
    """

    arms: tuple[NDArray[np.float64], ...]
    slope: float
    variance_removed: float
    slope_squares: float
    gaps: tuple[float, ...]


def adjust(outcomes: Sequence[ArrayLike], covariates: Sequence[ArrayLike]) -> Adjusted:
    """Return outcomes adjusted by a covariate that the treatment cannot have changed (CUPED).

    The slope is that of a regression with one level for each arm, so an effect of the treatment
    does not enter it. A covariate without spread changes nothing. Randomisation makes the
    adjusted difference of means an estimate of the same effect. The slope is estimated: with few
    values the means are less sure than the adjusted values look, by what `slope_squares` and
    `gaps` tell, and a covariate that explains little adds noise.

    Args:
        outcomes: one array of shape ``(n,)`` for each arm.
        covariates: likewise, value by value.

    Raises:
        InvalidInputError: shapes differ, an arm has fewer than two values, or one is not finite.

    References:
        A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the sensitivity of online controlled
        experiments by utilizing pre-experiment data", WSDM 2013.

    >>> adjust([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], [[1, 2, 3], [1, 2, 3]]).variance_removed
    1.0
    """
    ys = [finite_sample(y, f"outcome {i}", n_least=2) for i, y in enumerate(outcomes)]
    xs = [finite_sample(x, f"covariate {i}", n_least=2) for i, x in enumerate(covariates)]
    if [y.size for y in ys] != [x.size for x in xs]:
        raise InvalidInputError(
            f"Each outcome needs a covariate; found {[y.size for y in ys]} outcomes and "
            f"{[x.size for x in xs]} covariates by arm."
        )
    within_x = np.concatenate([x - x.mean() for x in xs])
    within_y = np.concatenate([y - y.mean() for y in ys])
    spread = float(within_x @ within_x)
    slope = 0.0 if spread == 0 else float(within_x @ within_y) / spread
    middle = float(np.concatenate(xs).mean())
    adjusted = tuple(y - slope * (x - middle) for y, x in zip(ys, xs, strict=True))
    before = float(within_y @ within_y)
    removed = 0.0 if before == 0 else slope * float(within_x @ within_y) / before
    removed = min(1.0, max(0.0, removed))
    squares = 0.0 if spread == 0 else before * (1 - removed) / spread
    gaps = tuple(float(x.mean()) - middle for x in xs)
    return Adjusted(adjusted, slope, removed, squares, gaps)
