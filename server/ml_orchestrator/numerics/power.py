"""How many units an experiment needs: fixed tests, and tests that may stop early."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import nct

from ml_orchestrator.errors import InvalidInputError

__all__ = [
    "SequentialPlan",
    "detectable_effect",
    "units_for_means",
    "units_for_rates",
    "units_when_monitored",
]

MOST_UNITS = 10**9
N_PATHS = 2_000
N_LOOKS = 400
LONGEST = 6.0  # fixed sizes that a monitored test is followed for


def units_for_rates(
    first: float, second: float, *, alpha: float, power: float, ratio: float = 1.0
) -> int:
    """Return the units in the first arm with which a z test finds two rates different.

    Normal approximation, with the pooled rate under the null and both rates under the
    alternative, two-sided, no continuity correction.

    Args:
        first: rate of the first arm.
        second: of the second.
        alpha: level of the test.
        power: chance to find it.
        ratio: units of the second arm for each of the first.

    Raises:
        InvalidInputError: a rate outside 0..1, equal rates, or alpha or power out of range.

    References:
        J. L. Fleiss, "Statistical Methods for Rates and Proportions", 1981, section 3.2.

    >>> units_for_rates(0.10, 0.12, alpha=0.05, power=0.8)
    3841
    >>> units_for_rates(0.10, 0.12, alpha=0.05, power=0.8, ratio=4.0)
    2445
    """
    _check_rates(alpha, power)
    if not (0 <= first <= 1 and 0 <= second <= 1 and first != second):
        raise InvalidInputError(
            f"Rates must lie in 0..1 and differ; found {first:g} and {second:g}. The baseline "
            "plus the effect is the second."
        )
    pooled = (first + ratio * second) / (1 + ratio)
    under_null = -ndtri(alpha / 2) * math.sqrt((1 + 1 / ratio) * pooled * (1 - pooled))
    spread = first * (1 - first) + second * (1 - second) / ratio
    under_effect = ndtri(power) * math.sqrt(spread)
    return math.ceil(float((under_null + under_effect) / (second - first)) ** 2)


def units_for_means(effect: float, sd: float, *, alpha: float, power: float) -> int:
    """Return the units in each of two equal arms with which a two-sided t test finds an effect.

    By the noncentral t distribution, as statsmodels' ``TTestIndPower``.

    Raises:
        InvalidInputError: ``effect`` is 0, ``sd`` is not above 0, or so small an effect that
            more than a billion units are needed.

    >>> units_for_means(0.5, 1.0, alpha=0.05, power=0.8)
    64
    """
    _check_rates(alpha, power)
    _check_effect(effect, sd)
    ratio = abs(effect) / sd
    if _t_power(MOST_UNITS, ratio, alpha) < power:
        raise InvalidInputError(f"An effect of {effect:g} beside {sd:g} needs too many units.")
    if _t_power(2, ratio, alpha) >= power:
        return 2
    found = brentq(lambda n: _t_power(n, ratio, alpha) - power, 2, MOST_UNITS, xtol=1e-6)
    return math.ceil(float(found) - 1e-9)


def detectable_effect(n: int, sd: float, *, alpha: float, power: float) -> float:
    """Return the least effect that ``n`` units in each of two arms show with this power.

    Raises:
        InvalidInputError: fewer than 2 units, or an option out of range.

    >>> round(detectable_effect(64, 1.0, alpha=0.05, power=0.8), 3)
    0.499
    """
    _check_rates(alpha, power)
    _check_effect(1.0, sd)
    if n < 2:
        raise InvalidInputError(f"At least 2 units an arm are needed; found {n}.")
    most = 40 * (1 + 1 / math.sqrt(n))
    while _t_power(n, most, alpha) < power:
        most *= 2
    return sd * float(brentq(lambda d: _t_power(n, d, alpha) - power, 0.0, most, xtol=1e-12))


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """What a monitored test needs, in units of each arm.

    Attributes:
        n_most: with which the effect is found with the power asked for, if it is there.
        n_median: half of the tests have ended by then, if the effect is there.
        n_mean: when tests end on average (at ``n_most`` at the latest).
    """

    n_most: int
    n_median: int
    n_mean: int


def units_when_monitored(
    effect: float, sd: float, *, alpha: float, power: float, tau: float, seed: int = 0
) -> SequentialPlan:
    """Return the units for the mixture sequential test, by following 2,000 simulated tests.

    A sum of many values is taken as normal; looks are at 400 moments, evenly spread.

    Args:
        effect: the difference of means that shall be found.
        sd: of the values within an arm.
        alpha: level of the test.
        power: share of tests that shall find it.
        tau: of the mixture; see `mixture_sprt.log_e_value`.
        seed: of the simulation; its error is about 1 % of the units.

    Raises:
        InvalidInputError: an option is out of range, or six times the units of the fixed test
            would not do.

    >>> plan = units_when_monitored(0.05, 0.5, alpha=0.05, power=0.8, tau=0.05)
    >>> plan.n_median < 1571 < plan.n_most
    True
    """
    fixed = units_for_means(effect, sd, alpha=alpha, power=power)
    if not tau > 0:
        raise InvalidInputError(f"tau must be above 0; found {tau}.")
    times = np.linspace(LONGEST * fixed / N_LOOKS, LONGEST * fixed, N_LOOKS)
    variances = 2 * sd**2 / times
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(N_PATHS, N_LOOKS)) * math.sqrt(2 * sd**2 * times[0])
    estimates = effect + np.cumsum(steps, axis=1) / times
    share = variances / (variances + tau**2)
    logs = 0.5 * np.log(share) + estimates**2 * (1 - share) / (2 * variances)
    crossed = logs >= -math.log(alpha)
    stops = np.where(crossed.any(axis=1), times[crossed.argmax(axis=1)], np.inf)
    most = float(np.sort(stops)[math.ceil(power * N_PATHS) - 1])
    if not math.isfinite(most):
        raise InvalidInputError(
            f"tau {tau:g} is too far from the effect {effect:g}: {LONGEST:g} times the "
            f"{fixed:,} units of the fixed test would not find it. Let it be about the effect."
        )
    return SequentialPlan(
        math.ceil(most),
        math.ceil(min(most, float(np.median(stops)))),
        math.ceil(float(np.minimum(stops, most).mean())),
    )


def _t_power(n: float, ratio: float, alpha: float) -> float:
    """Return the power of the two-sided t test with ``n`` values in each arm."""
    degrees, shift = 2 * n - 2, ratio * math.sqrt(n / 2)
    critical = float(-stdtrit(degrees, alpha / 2))
    if degrees > 1e5:  # there it is normal to five digits, and the noncentral t slow to sum up
        return float(ndtr(shift - critical) + ndtr(-shift - critical))
    wrong_side = nct.cdf(-critical, degrees, shift)
    return float(nct.sf(critical, degrees, shift) + np.nan_to_num(wrong_side))


def _check_rates(alpha: float, power: float) -> None:
    if not (0 < alpha < 1 and alpha < power < 1):
        raise InvalidInputError(
            f"alpha must lie in 0..1 and power between alpha and 1; found {alpha} and {power}."
        )


def _check_effect(effect: float, sd: float) -> None:
    if effect == 0 or not sd > 0 or not math.isfinite(effect):
        raise InvalidInputError(
            f"A plan needs an effect other than 0 and a spread above 0; found {effect:g}, {sd:g}."
        )
