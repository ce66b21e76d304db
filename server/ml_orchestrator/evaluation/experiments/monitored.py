"""Methods that hold however often one looks: each compares an arm with the control over time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm, mean_of
from ml_orchestrator.evaluation.experiments.fixed import relative_of
from ml_orchestrator.evaluation.experiments.found import Found
from ml_orchestrator.evaluation.experiments.models import Look
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.table import is_binary
from ml_orchestrator.numerics.mean_tests import SampleMean
from ml_orchestrator.numerics.mixture_sprt import log_e_value, radius
from ml_orchestrator.numerics.paired_betting import difference_bounds, log_e_process, pair_up

__all__ = ["MONITORED_METHODS", "tau_of"]

N_LOOKS = 100
N_SHOWN = 20
MANY_PAIRS, FEW_SHOWN = 20_000, 4  # bounds of bets on continuous values take their time
LEAST_UNITS = 50  # an arm needs so many before the first look: means are then nearly normal
LEAST_COUNTS = 10  # and so many successes and failures in both arms together
RATE_TAU = 0.05
MEAN_TAU_SDS = 0.1
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
    tau = tau_of(a, b, options)
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
    pairs = pair_up(*_bounded(a, b, options))
    logs = log_e_process(pairs)
    n_shown = N_SHOWN if logs.size <= MANY_PAIRS else FEW_SHOWN
    shown = np.unique(np.linspace(1, logs.size, n_shown).round().astype(int))
    looks = []
    for n in shown:
        part = type(pairs)(pairs.values[:n], pairs.span)
        low, high = difference_bounds(part, alpha=alpha)
        effect = (2 * float(part.values.mean()) - 1) * pairs.span
        e_value = math.exp(min(700.0, float(logs[n - 1])))
        looks.append(Look(n=2 * int(n), effect=effect, low=low, high=high, e_value=e_value))
    found = _found(looks, logs, alpha, relative_of(a, b, None))
    crossed = np.flatnonzero(logs >= -math.log(alpha))
    if not crossed.size:
        return found
    first = int(crossed[0]) + 1
    sign = float(np.sign(pairs.values[:first].mean() - 0.5))
    return replace(found, shown_at=2 * first, shown_sign=sign)


def tau_of(a: Arm, b: Arm, options: ExperimentOptions) -> float:
    """Return the spread of the mixture: the effect planned, else a usual one."""
    if options.planned.effect is not None:
        return abs(options.planned.effect)
    if a.values is not None and b.values is not None:
        if is_binary(a.values) and is_binary(b.values):
            return RATE_TAU
        first = np.concatenate([a.values[:LEAST_UNITS], b.values[:LEAST_UNITS]])
        return max(MEAN_TAU_SDS * float(first.std()), 1e-300)
    if a.counts is not None:
        return RATE_TAU
    return MEAN_TAU_SDS * max(a.sd, b.sd, 1e-300)


def _moments(a: Arm, b: Arm) -> list[_Moment]:
    """Return the difference at up to 100 moments, once there is enough to look at."""
    if a.values is None or b.values is None or a.places is None or b.places is None:
        moments = [(a.n + b.n, a.sample, b.sample)]
    else:
        ends = np.sort(np.concatenate([a.places, b.places]))
        at = ends[np.unique(np.linspace(0, ends.size - 1, N_LOOKS).round().astype(int))]
        sides = [
            _prefixes(arm, np.searchsorted(places, at, side="right"))
            for arm, places in ((a, a.places), (b, b.places))
        ]
        seen = [int(np.searchsorted(ends, place, side="right")) for place in at]
        moments = [
            (n, x, y)
            for n, x, y in zip(seen, *sides, strict=True)
            if x is not None and y is not None
        ]
    return [
        _Moment(n, y.mean - x.mean, x.variance + y.variance)
        for n, x, y in moments
        if min(x.n, y.n) >= LEAST_UNITS and _is_counted(a, b, x, y)
    ]


def _is_counted(a: Arm, b: Arm, x: SampleMean, y: SampleMean) -> bool:
    if a.counts is None or b.counts is None:
        return True
    hits = x.mean * x.n + y.mean * y.n
    return bool(LEAST_COUNTS <= hits <= x.n + y.n - LEAST_COUNTS)


def _prefixes(arm: Arm, sizes: NDArray[np.intp]) -> list[SampleMean | None]:
    """Return the mean of the first so many rows, for each size; None below the least."""
    values = arm.rows()
    if arm.units is not None:
        return [
            mean_of(values[:n], arm.units[:n])
            if np.unique(arm.units[:n]).size >= LEAST_UNITS
            else None
            for n in sizes
        ]
    shift = float(values.mean())
    sums = np.concatenate([[0.0], np.cumsum(values - shift)])
    squares = np.concatenate([[0.0], np.cumsum((values - shift) ** 2)])
    found: list[SampleMean | None] = []
    for n in sizes:
        if n < LEAST_UNITS:
            found.append(None)
            continue
        mean = sums[n] / n
        variance = max(0.0, (squares[n] - n * mean**2) / (n - 1))
        found.append(SampleMean(int(n), float(mean + shift), float(variance / n)))
    return found


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
        shown_sign=math.copysign(1.0, shown.effect) if shown else None,
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
