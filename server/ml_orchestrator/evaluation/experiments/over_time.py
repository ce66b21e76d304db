"""Whether an effect stays as it was: novelty wears off, habits are learned."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.evaluation.experiments.arms import Arm, mean_of
from ml_orchestrator.evaluation.experiments.models import Stretch
from ml_orchestrator.numerics.mean_tests import Difference, welch_t

__all__ = ["Trend", "effect_over_time"]

MOST_STRETCHES = 10
LEAST_ROWS = 50  # of each arm
LEAST_STRETCHES = 3
SEEN = 0.01  # p value of a slope that is told


@dataclass(frozen=True, slots=True)
class Trend:
    """The effect by time.

    Attributes:
        stretches: earliest first.
        p_value: of the hypothesis that the effect has no slope over stretches.
        slope: change of the effect from the first stretch to the last.
        has_faded: it shrinks, and at the end of the line through the stretches none is shown.
        notice: what it means, or None where nothing is seen.
    """

    stretches: tuple[Stretch, ...]
    p_value: float
    slope: float
    has_faded: bool
    notice: str | None


def effect_over_time(a: Arm, b: Arm, *, alpha: float, label: Callable[[int], str]) -> Trend | None:
    """Return the effect in up to ten stretches of equally many rows; None with too few rows.

    Args:
        a: the control.
        b: the other arm.
        alpha: each interval holds at ``1 - alpha``.
        label: names the moment at a place in the order of arrival.
    """
    if a.places is None or b.places is None:
        return None
    n_stretches = min(MOST_STRETCHES, min(a.n, b.n) // LEAST_ROWS)
    places = np.sort(np.concatenate([a.places, b.places]))
    found: list[tuple[Difference, int, int]] = []
    for part in np.array_split(places, max(1, n_stretches)):
        first, last = int(part[0]), int(part[-1])
        sides = [_within(arm, first, last) for arm in (a, b)]
        if min(side[0].size for side in sides) < LEAST_ROWS // 2 or not all(map(_is_enough, sides)):
            continue
        found.append((welch_t(mean_of(*sides[0]), mean_of(*sides[1])), first, last))
    if len(found) < LEAST_STRETCHES or any(d.standard_error == 0 for d, _, _ in found):
        return None
    return _trend(found, alpha, label)


def _within(
    arm: Arm, first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    places = np.arange(arm.n) if arm.places is None else arm.places
    is_in = (places >= first) & (places <= last)
    return arm.rows()[is_in], None if arm.units is None else arm.units[is_in]


def _is_enough(side: tuple[NDArray[np.float64], NDArray[np.int64] | None]) -> bool:
    values, units = side
    return values.size >= 2 if units is None else np.unique(units).size >= 2


def _trend(
    found: list[tuple[Difference, int, int]], alpha: float, label: Callable[[int], str]
) -> Trend:
    effects = np.array([d.estimate for d, _, _ in found])
    weights = np.array([d.standard_error**-2.0 for d, _, _ in found])
    x = np.linspace(0.0, 1.0, effects.size)
    x = x - np.average(x, weights=weights)  # the slope is then independent of the middle
    spread = float(weights @ x**2)
    slope = float(weights @ (x * effects)) / spread
    p_value = Difference(slope, spread**-0.5, float("inf")).p_value()
    stretches = []
    for difference, first, last in found:
        low, high = difference.interval(alpha)
        stretches.append(
            Stretch(start=label(first), end=label(last), effect=difference.estimate, low=low,
                    high=high)
        )  # fmt: skip
    middle = float(np.average(effects, weights=weights))
    error = (1 / float(weights.sum()) + float(x[-1]) ** 2 / spread) ** 0.5
    low, high = Difference(middle + slope * float(x[-1]), error, float("inf")).interval(alpha)
    is_shrinking = p_value < SEEN and slope * middle < 0
    has_faded = is_shrinking and (low if middle > 0 else -high) <= 0
    notice = _notice(p_value, slope, is_shrinking=is_shrinking) if p_value < SEEN else None
    return Trend(tuple(stretches), p_value, slope, has_faded, notice)


def _notice(p_value: float, slope: float, *, is_shrinking: bool) -> str:
    way = "shrinks" if is_shrinking else "grows"
    why = "novelty wearing off" if way == "shrinks" else "users who learn, or a delayed effect"
    return (
        f"The effect {way} over time (by {slope:.4g} from first to last, p = {p_value:.2g}): "
        f"{why} would look so. The mean over all time need not be what lasts."
    )
