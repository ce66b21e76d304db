"""Methods that hold however often one looks: each compares an arm with the control over time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm, mean_of
from ml_orchestrator.evaluation.experiments.first_look import (
    LEAST_UNITS,
    Seen,
    is_enough,
    mean_cube,
    tau_of,
    usual_value,
)
from ml_orchestrator.evaluation.experiments.fixed import relative_of
from ml_orchestrator.evaluation.experiments.found import Found
from ml_orchestrator.evaluation.experiments.models import Look
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.table import is_binary
from ml_orchestrator.numerics.mean_tests import SampleMean, is_rounding
from ml_orchestrator.numerics.mixture_sprt import log_e_value, radius
from ml_orchestrator.numerics.paired_betting import Pairs, difference_bounds, log_e_process, pair_up
from ml_orchestrator.numerics.runs import few_runs_p_value

__all__ = ["MONITORED_METHODS"]

N_LOOKS = 100
N_SHOWN = 20
NO_CHANCE = 1e-6  # of an order, before rows without a time are refused
SMALLEST = 1e-300  # p value whose log is taken
LOST = 1e-12  # variance beside a squared mean: below, sums that differ have lost its digits
MANY_PAIRS, FEW_SHOWN = 20_000, 4  # bounds of bets on continuous values take their time
Compare = Callable[[Arm, Arm, ExperimentOptions, float], Found]
MONITORED_METHODS: Catalog[Compare] = Catalog("monitored method")


@dataclass(frozen=True, slots=True)
class _Moment:
    n: int
    effect: float
    variance: float


@MONITORED_METHODS.register("msprt")
def msprt(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare means by the mixture sequential test, at up to 100 moments."""
    if options.time_column is None:
        for arm in (a, b):
            _check_unsorted(arm)
    tau = tau_of(a, b, options)
    if tau is None:
        return _too_early(a, b)
    moments = [moment for moment in _moments(a, b) if moment.variance > 0]
    logs = [log_e_value(m.effect, m.variance, tau=tau) for m in moments]
    looks = [
        _look(m, radius(m.variance, tau=tau, alpha=alpha), log)
        for m, log in zip(moments, logs, strict=True)
    ]
    if not looks:
        return _too_early(a, b)
    last = looks[-1]
    critical = (last.high - last.low) / 2 / math.sqrt(moments[-1].variance)
    return _found(looks, logs, alpha, relative_of(a, b, critical))


@MONITORED_METHODS.register("betting")
def betting(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare means by betting on pairs in order of arrival, after every pair."""
    x, y, bounds = _bounded(a, b, options)
    if options.time_column is None:
        _check_order(x, y)
    pairs = pair_up(x, y, bounds)
    logs = log_e_process(pairs)
    n_shown = N_SHOWN if logs.size <= MANY_PAIRS else FEW_SHOWN

    def look(n: int) -> Look:
        part = Pairs(pairs.values[:n], pairs.span)
        low, high = difference_bounds(part, alpha=alpha)
        effect = (2 * float(part.values.mean()) - 1) * pairs.span
        e_value = math.exp(min(700.0, float(logs[n - 1])))
        return Look(n=2 * n, effect=effect, low=low, high=high, e_value=e_value)

    at = np.unique(np.linspace(1, logs.size, n_shown).round().astype(int))
    found = _found([look(int(n)) for n in at], logs, alpha, relative_of(a, b, None))
    crossed = np.flatnonzero(logs >= -math.log(alpha))
    if not crossed.size:
        return found
    shown = look(int(crossed[0]) + 1)
    return replace(found, shown_at=shown.n, shown=shown)


def _check_order(x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Refuse rows whose outcomes stand together as no order of arrival leaves them.

    Pairs of an arm's i-th row with the other's i-th are of one moment only if rows came so. Each
    arm by itself, for one may stand after the other; both p values by Fisher's method.
    """
    p_values = [few_runs_p_value(part) for part in (x, y)]
    p_value = float(chdtrc(4, -2 * sum(math.log(max(p, SMALLEST)) for p in p_values)))
    if p_value < NO_CHANCE:
        said = f"= {p_value:.2g}" if p_value >= SMALLEST else f"below {SMALLEST:g}"
        raise InvalidInputError(
            "The rows stand in no credible order of arrival: like outcomes stand together, as "
            f"where rows are sorted or drift far (p {said} in random order). betting "
            'leans on the order: name the column of when they came in columns ("time"), or give '
            "rows as they came; or evaluate them once, without is_monitored."
        )


def _check_unsorted(arm: Arm) -> None:
    """Refuse rows that are sorted by their outcomes: early looks would see one end of them.

    Rows that drift, or of one unit beside each other, are let through: they may have come so.
    """
    if arm.values is None or arm.places is None:  # counts have no order
        return
    steps = np.diff(arm.values)  # in order of arrival
    is_sorted = bool((steps >= 0).all() or (steps <= 0).all())
    if is_sorted and few_runs_p_value(arm.values) < NO_CHANCE:
        raise InvalidInputError(
            f"The rows of arm {arm.name!r} are sorted by their outcomes, so looks at the first of "
            'them would tell nothing. Name the column of when they came in columns ("time"), or '
            "give rows as they came; or evaluate them once, without is_monitored."
        )


def _moments(a: Arm, b: Arm) -> list[_Moment]:
    """Return the difference at up to 100 moments, once there is enough to look at."""
    is_rate = a.counts is not None and b.counts is not None
    return [
        _Moment(n, y.sample.mean - x.sample.mean, _variance(x.sample, y.sample, a, b))
        for n, x, y in _states(a, b)
        if is_enough(x, y, is_rate=is_rate)
    ]


def _states(a: Arm, b: Arm) -> list[tuple[int, Seen, Seen]]:
    if a.values is None or b.values is None or a.places is None or b.places is None:
        return [(a.n + b.n, _summed(a), _summed(b))]
    usual = usual_value(a.values, b.values)
    ends = np.sort(np.concatenate([a.places, b.places]))
    at = ends[np.unique(np.linspace(0, ends.size - 1, N_LOOKS).round().astype(int))]
    sides = [
        _prefixes(arm, np.searchsorted(places, at, side="right"), usual)
        for arm, places in ((a, a.places), (b, b.places))
    ]
    seen = [int(np.searchsorted(ends, place, side="right")) for place in at]
    return [
        (n, x, y) for n, x, y in zip(seen, *sides, strict=True) if x is not None and y is not None
    ]


def _summed(arm: Arm) -> Seen:
    return Seen(arm.sample, float(arm.n if arm.counts is None else arm.counts.successes))


def _variance(x: SampleMean, y: SampleMean, a: Arm, b: Arm) -> float:
    """Return the variance of the difference; of rates not below that of one rate for both."""
    apart = x.variance + y.variance
    if a.counts is None or b.counts is None or a.units is not None or b.units is not None:
        return apart
    rate = (x.mean * x.n + y.mean * y.n) / (x.n + y.n)
    return max(apart, rate * (1 - rate) * (1 / x.n + 1 / y.n))


def _prefixes(arm: Arm, sizes: NDArray[np.intp], usual: float) -> list[Seen | None]:
    """Return what was seen of the first so many rows, for each size; None below the least."""
    values = arm.rows()
    n_other = np.concatenate([[0], np.cumsum(values != usual)])
    if arm.units is not None:
        n_units = [np.unique(arm.units[:n]).size for n in sizes]
        return [
            _seen_of_units(values[:n], arm.units[:n], float(n_other[n]) * k / n)
            if k >= LEAST_UNITS
            else None
            for n, k in zip(sizes, n_units, strict=True)
        ]
    shift = float(values.mean())
    sums = np.concatenate([[0.0], np.cumsum(values - shift)])
    squares = np.concatenate([[0.0], np.cumsum((values - shift) ** 2)])
    cubes = np.concatenate([[0.0], np.cumsum((values - shift) ** 3)])
    scale = float(np.abs(values).max())
    found: list[Seen | None] = []
    for n in sizes:
        if n < LEAST_UNITS:
            found.append(None)
            continue
        mean = sums[n] / n
        variance = max(0.0, (squares[n] - n * mean**2) / (n - 1))
        if is_rounding(math.sqrt(variance), scale) or variance <= LOST * mean**2:
            variance = 0.0
        sample = SampleMean(int(n), float(mean + shift), float(variance / n))
        cube = cubes[n] / n - 3 * mean * squares[n] / n + 2 * mean**3
        found.append(Seen(sample, float(n_other[n]), float(cube)))
    return found


def _seen_of_units(values: NDArray[np.float64], units: NDArray[np.int64], n_other: float) -> Seen:
    return Seen(mean_of(values, units), n_other, mean_cube(values, units))


def _look(moment: _Moment, half: float, log: float) -> Look:
    return Look(
        n=moment.n,
        effect=moment.effect,
        low=moment.effect - half,
        high=moment.effect + half,
        e_value=math.exp(min(700.0, log)),
    )


def _found(
    looks: Sequence[Look],
    logs: Sequence[float] | NDArray[np.float64],
    alpha: float,
    relative: tuple[float, float | None, float | None] | None,
) -> Found:
    last = looks[-1]
    largest = float(max(logs))
    shown = next((look for look in looks if look.e_value >= 1 / alpha), None)
    kept = np.unique(np.linspace(0, len(looks) - 1, min(N_SHOWN, len(looks))).round().astype(int))
    return Found(
        last.effect,
        last.low,
        last.high,
        p_value=math.exp(min(0.0, -largest)),
        relative=relative,
        e_value=math.exp(min(700.0, largest)),
        shown_at=shown.n if shown else None,
        shown=shown or max(looks, key=lambda look: look.e_value),
        looks=tuple(looks[i] for i in kept),
    )


def _too_early(a: Arm, b: Arm) -> Found:
    """Return that nothing is known yet: the whole line, and an e-value of 1."""
    effect = b.sample.mean - a.sample.mean
    most = 1.0 if a.counts is not None else math.inf
    return Found(effect, -most, most, p_value=1.0, e_value=1.0)


def _bounded(
    a: Arm, b: Arm, options: ExperimentOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    if a.places is None or b.places is None:
        raise InvalidInputError(
            "betting takes outcomes in their order of arrival, which counts or means by arm do "
            "not have. Give the table with rows in order of arrival, or choose msprt."
        )
    x, y = a.rows(), b.rows()
    if a.units is not None or b.units is not None:
        raise InvalidInputError(
            "betting takes rows as independent, and units have several. Choose msprt, which "
            "counts units."
        )
    if options.covariate is not None:
        raise InvalidInputError("betting takes no covariate. Choose msprt, or leave it out.")
    bounds = options.planned.bounds or ((0.0, 1.0) if is_binary(x) and is_binary(y) else None)
    if bounds is None:
        raise InvalidInputError(
            "betting needs the least and the largest value that can occur at all: give plan with "
            "low and high, known before the data; or choose msprt."
        )
    return x, y, bounds
