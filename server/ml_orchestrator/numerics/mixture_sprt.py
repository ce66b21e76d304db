"""A test of a mean that may be looked at at any moment: the mixture sequential ratio test."""

import math

from ml_orchestrator.errors import InvalidInputError

__all__ = ["log_e_value", "radius"]


def log_e_value(estimate: float, variance: float, *, tau: float) -> float:
    """Return the log of the e-value against the hypothesis that the truth is 0.

    It is the likelihood under a normal mixture of truths, with mean 0 and standard deviation
    ``tau``, divided by that under 0. If nothing differs, the chance that it *ever* reaches
    ``1 / alpha`` is at most alpha. Exact for normal values of known variance; for others it holds
    as the arms grow, so the first looks need some tens of values.

    Args:
        estimate: of the truth so far.
        variance: of the estimate, above 0.
        tau: above 0, chosen before the data: about the effect that matters. It changes how soon
            the test ends, not how often it is wrong.

    Raises:
        InvalidInputError: ``variance`` or ``tau`` is not above 0.

    References:
        R. Johari, P. Koomen, L. Pekelis, D. Walsh, "Always valid inference: continuous monitoring
        of A/B tests", Operations Research 70 (2022).

    >>> round(log_e_value(0.3, 0.01, tau=0.1), 4)
    1.9034
    """
    _check(variance, tau)
    shrunk = variance / (variance + tau**2)
    return 0.5 * math.log(shrunk) + estimate**2 * (1 - shrunk) / (2 * variance)


def radius(variance: float, *, tau: float, alpha: float) -> float:
    """Return half the width of the confidence sequence around the estimate.

    All intervals, at every moment at once, hold the truth with a chance of at least
    ``1 - alpha``. The interval leaves 0 out exactly when the e-value is at least ``1 / alpha``.

    Raises:
        InvalidInputError: ``variance`` or ``tau`` is not above 0, or alpha is not in 0..1.

    >>> half = radius(0.01, tau=0.1, alpha=0.05)
    >>> round(math.exp(log_e_value(half, 0.01, tau=0.1)), 6)
    20.0
    """
    _check(variance, tau)
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must lie between 0 and 1; found {alpha}.")
    total = variance + tau**2
    return math.sqrt(variance * total / tau**2 * (math.log(total / variance) - 2 * math.log(alpha)))


def _check(variance: float, tau: float) -> None:
    if not (variance > 0 and tau > 0):
        raise InvalidInputError(
            f"variance and tau must be above 0; found variance {variance}, tau {tau}."
        )
