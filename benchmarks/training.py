"""Our training beside others, for the same wall-clock time on one core.

Sets: real tables that ship with scikit-learn and statsmodels (at most 1,000 rows, three in time
order, one with groups) and generated ones of known best score. For each set and seed, all get the
same training rows and are judged on the same held-out rows; ours and the plain searches use the
same folds. The process is bound to one core.

Excess is how much lower the score (R2 or ROC AUC, losses above 1 count as 1) is than the best one
on that set and seed. Ranks are averaged over sets and seeds; ties share their rank. Differences to
each other contender are paired by set, with a 95 % bootstrap interval over sets. Counted are the
sets where ours is worse than the best of the defaults beyond noise (90 % interval, held-out rows
drawn anew).
"""

import argparse
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from _contenders import Contender, Question, contenders, question
from _known_tables import known_problems
from _real_tables import Problem, real_problems
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml_orchestrator.training.gains import gain
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.out_of_fold import Answers

REAL = (
    "breast_cancer",
    "diabetes",
    "anes96, vote",
    "fair, any",
    "randhie",
    "modechoice",  # groups
    "star98",
    "ccard",
    "macrodata",  # in time order, as the next two
    "sunspots",
    "co2",
)
QUICK = ("diabetes", "modechoice", "sunspots", "interactions")
DEFAULTS = ("default boosting", "default forest", "default lightgbm")
N_BOOTSTRAPS = 2_000


@dataclass(frozen=True, slots=True)
class Answered:
    """What one contender made of one question; ``loss`` is 1 - score, or an error measure."""

    given: Predictions
    loss: float
    seconds: float


Round = Mapping[str, Answered]
"""What all contenders made of one question."""


def main() -> None:
    """Ask everybody everything, in turns, and print."""
    options = _options()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    known = {problem.name: (problem, best) for problem, best in known_problems()}
    problems = [p for p in real_problems() if p.name in REAL] + [p for p, _ in known.values()]
    if options.quick:
        problems = [problem for problem in problems if problem.name in QUICK]
    able = contenders([name for name in options.peers.split(",") if name])
    for name in [name for name, contender in able.items() if contender is None]:
        print(f"absent: {name}", file=sys.stderr)
    running = {name: contender for name, contender in able.items() if contender is not None}
    budgets, n_seeds = ([5.0], 1) if options.quick else (options.budget, options.seeds)
    for budget_s in budgets:
        rounds: dict[tuple[str, int], tuple[Question, Round]] = {}
        for problem in problems:
            for seed in range(options.seed, options.seed + n_seeds):
                asked = question(problem, budget_s=budget_s, seed=seed)
                rounds[problem.name, seed] = asked, _ask_all(asked, running)
                _say(problem, seed, rounds[problem.name, seed][1], known)
        _show(rounds, list(running), budget_s, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four sets, one seed, 5 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--budget", type=float, nargs="+", default=[30.0, 60.0], help="in s")
    parser.add_argument("--peers", default="flaml,autogluon", help="which to install, by commas")
    return parser.parse_args()


def _ask_all(asked: Question, running: Mapping[str, Contender]) -> Round:
    found: dict[str, Answered] = {}
    metric = asked.table.metric
    for name, contender in running.items():
        began_at = time.monotonic()
        given = contender(asked)
        seconds = time.monotonic() - began_at
        score = metric.compute(given)
        loss = 1 - score if metric.higher_is_better else score
        found[name] = Answered(given, float(np.clip(loss, 0, 1)), seconds)
    return found


def _say(
    problem: Problem, seed: int, found: Round, known: Mapping[str, tuple[Problem, float]]
) -> None:
    best = f" (best possible {1 - known[problem.name][1]:.4f})" if problem.name in known else ""
    losses = ", ".join(f"{n} {a.loss:.4f} in {a.seconds:.1f} s" for n, a in found.items())
    print(f"{problem.name}, seed {seed}: loss{best}: {losses}", file=sys.stderr, flush=True)


def _show(
    rounds: Mapping[tuple[str, int], tuple[Question, Round]],
    names: Sequence[str],
    budget_s: float,
    *,
    as_json: bool,
) -> None:
    losses = np.array([[found[name].loss for name in names] for _, found in rounds.values()])
    sets = [name for name, _ in rounds]
    ranks = np.array([rankdata(row.round(6)) for row in losses])
    excess = losses - losses.min(axis=1, keepdims=True)
    at = f"at {budget_s:g} s"
    for place, name in enumerate(names):
        _line(f"mean rank {at}, {name}", "rank", ranks[:, place].mean(), None, len(ranks), as_json)
        mean = 100 * excess[:, place].mean()
        _line(f"mean excess {at}, {name}", "points", mean, None, len(ranks), as_json)
    for place, name in enumerate(names[1:], start=1):
        difference = 100 * (losses[:, place] - losses[:, 0])
        ends = _interval(difference, sets)
        label = f"loss of {name} less ours {at}"
        _line(label, "points", difference.mean(), ends, len(difference), as_json)
    slowest = max(found["ours"].seconds for _, found in rounds.values()) / budget_s
    _line(f"longest wall time of ours / budget {at}", "ratio", slowest, None, len(ranks), as_json)
    worse = [f"{name} ({seed})" for (name, seed), pair in rounds.items() if _is_worse(*pair)]
    _line(f"sets worse than a default {at}", "sets", len(worse), None, len(ranks), as_json)
    if worse:
        print(f"worse than the best default beyond noise: {', '.join(worse)}", file=sys.stderr)


def _is_worse(asked: Question, found: Round) -> bool:
    """Whether ours is worse than the best default beyond noise."""
    present = [name for name in DEFAULTS if name in found]
    best = min(present, key=lambda name: found[name].loss)
    groups = asked.table.groups
    measured = gain(
        Answers((found[best].given,)),
        Answers((found["ours"].given,)),
        metric=asked.table.metric,
        groups=None if groups is None else [groups[asked.split.test]],
        is_ordered=asked.table.times is not None,
        seed=0,
    )
    return measured.high < 0


def _line(
    name: str, unit: str, value: float, ends: tuple[float, float] | None, n: int, as_json: bool
) -> None:
    if as_json:
        machine = f"{platform.machine()} 1 core, Python {platform.python_version()}"
        low, high = ends or (None, None)
        line = {"figure": name, "unit": unit, "ours": float(value), "low": low, "high": high}
        print(json.dumps({**line, "n": n, "machine": machine}))
        return
    within = "" if ends is None else f" ({ends[0]:.2f} to {ends[1]:.2f})"
    print(f"{name:<56} {value:7.2f} {unit}{within}, n = {n}")


def _interval(values: NDArray[np.float64], sets: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean, sets drawn with all their seeds."""
    rng = np.random.default_rng(0)
    names = sorted(set(sets))
    means = np.array([values[np.array(sets) == name].mean() for name in names])
    drawn = means[rng.integers(0, len(names), (N_BOOTSTRAPS, len(names)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
