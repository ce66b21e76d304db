"""How often a test that is looked at 100 times is wrong, and how soon it is right.

Two arms of 0/1 outcomes come in random order, up to 5,000 rows an arm, and are looked at 100 times:
by `experiment_evaluate` (monitored: mixture sequential test, betting), by the fixed score test
once at the end, by the same test at every look, and by a Bayesian who stops when one arm is better
with a chance of 97.5 %. A stop in favour of either arm counts as a finding. Another world has rare
successes (2 %), no difference, and a tenth of all rows in the second arm. The last ones have skewed
outcomes in such arms, also without a difference: lognormal ones, cut at 50 so that there are bounds
to bet within, beside Welch's test at every look.

    .venv/bin/python benchmarks/sequential.py [--quick] [--json] [--seed N] [--runs N] [--base P]
                                              [--skewed]
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from _figures import machine
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ml_orchestrator.evaluation.experiments.evaluate import evaluate_table
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions, Method, Planned
from ml_orchestrator.numerics.wilson import wilson_interval

N_ROWS = 5_000  # an arm
N_LOOKS = 100
ALPHA = 0.05
EFFECTS = (0.0, 0.05, 0.10)
MOST_FALSE = 0.05
LEAST_POWER = 0.95
RARE, SMALL_SHARE = 0.02, 0.1
SIGMAS, MOST_VALUE = (1.0, 1.5), 50.0  # of the lognormal outcomes
SMALLEST_EFFECT = 0.05  # written down before: what the mixture is tuned to
Table = Mapping[str, NDArray[Any]]
Stop = float | None  # rows an arm at which it ended with a finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method did in many runs of one world."""

    method: str
    effect: float
    stops: list[Stop]

    @property
    def share(self) -> float:
        """Share of runs that ended with a finding."""
        return sum(stop is not None for stop in self.stops) / len(self.stops)

    @property
    def median_stop(self) -> float:
        """Rows an arm at which half of all runs had ended; all there are if fewer did."""
        return float(np.median([N_ROWS if stop is None else stop for stop in self.stops]))

    @property
    def holds(self) -> bool | None:
        """Whether our monitored methods keep the goal; None where there is none."""
        if not self.method.startswith("ours") or self.effect == 0.10:
            return None
        return self.share <= MOST_FALSE if self.effect == 0 else self.share >= LEAST_POWER


def world(seed: int, base: float, effect: float, share: float = 0.5) -> Table:
    """Return rows of both arms in random order, this share of them in the second."""
    rng = np.random.default_rng([seed, round(1_000 * effect)])
    n_second = round(2 * N_ROWS * share)
    sizes = [2 * N_ROWS - n_second, n_second]
    arm = rng.permutation(np.repeat(np.array(["a", "b"], dtype=object), sizes))
    rates = np.where(arm == "b", base + effect, base)
    return {"arm": arm, "won": (rng.random(arm.size) < rates).astype(float)}


def skewed_world(seed: int, sigma: float, share: float) -> Table:
    """Return lognormal outcomes without a difference, cut, this share of rows in the second arm."""
    rng = np.random.default_rng([seed, round(10 * sigma)])
    table = world(seed, 0.5, 0.0, share)
    won = np.minimum(rng.lognormal(0.0, sigma, table["arm"].size), MOST_VALUE)
    return {"arm": table["arm"], "won": won}


def ours(table: Table, method: Method, planned: Planned) -> Stop:
    """Return when the tool, told that it is monitored, first shows a difference."""
    share = float(np.mean(table["arm"] == "b"))
    options = ExperimentOptions(
        shares={"a": 1 - share, "b": share},
        arm="arm",
        outcome="won",
        method=method,
        is_monitored=True,
        alpha=ALPHA,
        planned=planned,
    )
    report = evaluate_table(table, options)
    shown_at = report.comparisons[0].shown_at
    return None if shown_at is None else shown_at / 2


def _looks(table: Table) -> tuple[NDArray[np.float64], ...]:
    """Return rows and successes of each arm at each look."""
    at = np.linspace(0, 2 * N_ROWS - 1, N_LOOKS + 1).round().astype(int)[1:]
    is_b, won = table["arm"] == "b", table["won"]
    counts = (~is_b, is_b, ~is_b * won, is_b * won)
    return tuple(np.cumsum(part.astype(np.float64))[at] for part in counts)


def _first(is_found: NDArray[np.bool_], n: NDArray[np.float64]) -> Stop:
    return float(n[is_found.argmax()] / 2) if is_found.any() else None


def _z(table: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n, m, x, y = _looks(table)
    pooled = (x + y) / (n + m)
    return n + m, (y / m - x / n) / np.sqrt(
        np.maximum(1e-12, pooled * (1 - pooled)) * (1 / n + 1 / m)
    )


def fixed_once(table: Table) -> Stop:
    """Return the end if the score test is significant there."""
    n, z = _z(table)
    return float(n[-1] / 2) if abs(z[-1]) > -ndtri(ALPHA / 2) else None


def fixed_peeking(table: Table) -> Stop:
    """Return the first look at which the score test is significant."""
    n, z = _z(table)
    return _first(np.abs(z) > -ndtri(ALPHA / 2), n)


def naive_bayes(table: Table) -> Stop:
    """Return the first look with a chance of 97.5 % for either arm (flat priors, normal form)."""
    n, m, x, y = _looks(table)
    first, second = (x + 1) / (n + 2), (y + 1) / (m + 2)
    variance = first * (1 - first) / (n + 3) + second * (1 - second) / (m + 3)
    chance = ndtr((second - first) / np.sqrt(variance))
    return _first(np.maximum(chance, 1 - chance) > 1 - ALPHA / 2, n + m)


def welch_peeking(table: Table) -> Stop:
    """Return the first look at which Welch's test, in its normal form, is significant."""
    n, m, x, y = _looks(table)
    _, _, x2, y2 = _looks({**table, "won": table["won"] ** 2})
    variance = (x2 / n - (x / n) ** 2) / (n - 1) + (y2 / m - (y / m) ** 2) / (m - 1)
    return _first(np.abs(y / m - x / n) > -ndtri(ALPHA / 2) * np.sqrt(variance), n + m)


RATES = Planned(effect=SMALLEST_EFFECT)
BOUNDED = Planned(low=0.0, high=MOST_VALUE)
METHODS: Mapping[str, Callable[[Table], Stop]] = {
    "ours, msprt": partial(ours, method="msprt", planned=RATES),
    "ours, betting": partial(ours, method="betting", planned=RATES),
    "fixed test, once": fixed_once,
    "fixed test, peeking": fixed_peeking,
    "Bayes, stopping at 97.5 %": naive_bayes,
}
OF_MEANS: Mapping[str, Callable[[Table], Stop]] = {
    "ours, msprt": partial(ours, method="msprt", planned=BOUNDED),
    "ours, betting": partial(ours, method="betting", planned=BOUNDED),
    "Welch, peeking": welch_peeking,
}


def run(seed: int, *, base: float, effect: float, share: float) -> list[Stop]:
    """Return when each method ended in one run."""
    table = world(seed, base, effect, share)
    return [method(table) for method in METHODS.values()]


def run_skewed(seed: int, *, sigma: float, share: float) -> list[Stop]:
    """Return when each method of means ended in one run."""
    table = skewed_world(seed, sigma, share)
    return [method(table) for method in OF_MEANS.values()]


def show(found: Outcome, *, world: str, share: float, as_json: bool) -> None:
    """Print one line."""
    n = len(found.stops)
    low, high = wilson_interval(round(found.share * n), n)
    if as_json:
        line: dict[str, Any] = {
            "figure": f"{found.method}, +{found.effect:g}",
            "unit": "share",
            "world": world,
        }
        line |= {"share_of_b": share}
        line |= {"ours": found.share, "low": low, "high": high, "median_stop": found.median_stop}
        print(json.dumps({**line, "n": n, "holds": found.holds, "machine": machine()}))
        return
    goal = {None: "", True: "  holds", False: "  MISSED"}[found.holds]
    print(
        f"{world} and +{found.effect:g}, {share:.0%} in b  {found.method:<26} "
        f"found {found.share:6.1%} ({low:.1%} to {high:.1%}, n = {n}), "
        f"median stop {found.median_stop:5.0f}{goal}"
    )


def main() -> None:
    """Print the share of findings and the median stop of every method in every world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--runs", type=int, help="runs of each world")
    parser.add_argument("--skewed", action="store_true", help="the skewed worlds alone")
    parser.add_argument("--base", type=float, default=0.30, help="rate of the control")
    options = parser.parse_args()
    n_runs = options.runs or (100 if options.quick else 2_000)
    seeds = range(options.seed, options.seed + n_runs)
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        worlds = [(options.base, effect, 0.5) for effect in EFFECTS] + [(RARE, 0.0, SMALL_SHARE)]
        for base, effect, share in [] if options.skewed else worlds:
            work = partial(run, base=base, effect=effect, share=share)
            by_run = list(pool.map(work, seeds, chunksize=25))
            for i, name in enumerate(METHODS):
                found = Outcome(name, effect, [stops[i] for stops in by_run])
                show(found, world=f"{base:g}", share=share, as_json=options.json)
        for sigma in SIGMAS:
            skewed = partial(run_skewed, sigma=sigma, share=SMALL_SHARE)
            by_run = list(pool.map(skewed, seeds, chunksize=25))
            for i, name in enumerate(OF_MEANS):
                found = Outcome(name, 0.0, [stops[i] for stops in by_run])
                called = f"lognormal, sigma {sigma:g}"
                show(found, world=called, share=SMALL_SHARE, as_json=options.json)
    if not options.json:
        print(f"{N_LOOKS} looks, {N_ROWS:,} rows an arm at most; {machine()}")


if __name__ == "__main__":
    main()
