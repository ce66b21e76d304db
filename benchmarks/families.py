"""How much time the choice of families and pruning save, at equal quality.

Measured once for each problem: every family's default and some drawn configurations, each on all
folds, with the time of each fold. Then searches are played: a rule of ``training.allocation``
chooses the family of the next trial, whose configuration is drawn from those measured (without
replacement; the default first), and its folds are paid for, only the first ones where the median
rule prunes. The played searches differ in nothing but the rule, and cost no time, so each is
played hundreds of times.

Compared is the time until a search is as good as the uniform one is on average after all its
trials, as a ratio to uniform without pruning: 0.5 is half the time. A search that never gets
there is counted with all its time, and with no less than all of the uniform one's: giving up early
is no saving. The share of searches that get there is printed beside. Ratios are geometric means
over problems, with a 95 % bootstrap interval over tables. What is not played: samplers that learn
from the trials of a family.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from _figures import show_ratio
from _real_tables import Problem, real_problems
from numpy.typing import NDArray

from ml_orchestrator.training.allocation import ALLOCATIONS
from ml_orchestrator.training.course import is_hopeless
from ml_orchestrator.training.families import usable
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.scoring import pipeline_of
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split, plan_split
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.trainers import TRAINERS

QUICK = ("wine", "anes96, vote", "fair, any", "diabetes", "star98", "engel")
N_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """One configuration: higher scores are better; both have shape ``(n_folds,)``."""

    scores: NDArray[np.float64]
    seconds: NDArray[np.float64]


Pool = dict[str, list[Measured]]


@dataclass(frozen=True, slots=True)
class Played:
    """A search: the best score and the seconds after each trial."""

    best: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def seconds_to(self, score: float) -> float | None:
        """Return the seconds until the score is reached; None if it never is."""
        reached = np.flatnonzero(self.best >= score)
        return float(self.seconds[reached[0]]) if len(reached) else None


def main() -> None:
    """Measure, play and print."""
    options = _options()
    warnings.simplefilter("ignore")
    problems = [p for p in real_problems() if not options.quick or p.name in QUICK]
    n_drawn, n_plays = (8, 100) if options.quick else (20, 300)
    pools = [_measured(problem, n_drawn, options.seed) for problem in problems]
    rules = [(rule, prunes) for rule in ALLOCATIONS for prunes in (False, True)]
    n_trials = options.trials
    usuals = [
        [_play(pool, "uniform", False, n_trials, seed) for seed in range(n_plays)] for pool in pools
    ]
    found = {
        key: np.array([_outcome(*both, *key, n_trials) for both in zip(pools, usuals, strict=True)])
        for key in rules
    }
    usual = found["uniform", False][:, 0]
    tables = [problem.table for problem in problems]
    for (rule, prunes), (logs, shares) in ((key, both.T) for key, both in found.items()):
        name = f"seconds to equal quality, {rule}{', pruned' if prunes else ''} / uniform"
        reached = round(float(shares.mean()), 3)
        show_ratio(name, logs - usual, tables, n=len(logs), as_json=options.json, reached=reached)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="six problems, 8 drawn, 100 plays")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn configurations")
    parser.add_argument("--trials", type=int, default=30, help="trials of a played search")
    return parser.parse_args()


class _Drawing:
    """A space that answers by chance."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        if log:
            return float(np.exp(self._rng.uniform(np.log(low), np.log(high))))
        return float(self._rng.uniform(low, high))

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return round(self.real(name, low, high, log=log))

    def choice(self, name: str, options: Sequence[str]) -> str:
        return str(self._rng.choice(list(options)))


def _measured(problem: Problem, n_drawn: int, seed: int) -> Pool:
    """Return each family's default and drawn configurations, scored on the same folds."""
    spec = problem.spec(n_folds=N_FOLDS, seed=seed)
    table = prepare_table(spec, problem.dataset)
    split = plan_split(spec, table)
    rng = np.random.default_rng(seed)
    pool: Pool = {}
    for name in usable(list(TRAINERS), table.problem):
        trainer = TRAINERS[name]
        drawn = [trainer.suggest(_Drawing(rng), table.problem) for _ in range(n_drawn)]
        runs = [
            _run(spec, table, split, {"trainer": name, **point})
            for point in (trainer.first_params, *drawn)
        ]
        pool[name] = [run for run in runs if run is not None]
    print(f"{problem.name}: {sum(map(len, pool.values()))} configurations", file=sys.stderr)
    return {name: runs for name, runs in pool.items() if runs}


def _run(spec: TrainingSpec, table: TrainingTable, split: Split, params: Params) -> Measured | None:
    sign = 1.0 if table.metric.higher_is_better else -1.0
    scores, seconds = [], []
    for fit_rows, score_rows in split.folds:
        began_at = time.perf_counter()
        try:
            model = fit(pipeline_of(spec, table, params), table, fit_rows)
            given = predict(model, table.features.iloc[score_rows], table, score_rows)
        except (ArithmeticError, ValueError):
            return None
        seconds.append(time.perf_counter() - began_at)
        scores.append(sign * table.metric.compute(given))
    return Measured(np.array(scores), np.array(seconds)) if np.isfinite(scores).all() else None


def _outcome(
    pool: Pool, usual: Sequence[Played], rule: str, prunes: bool, n_trials: int
) -> tuple[float, float]:
    """Return the mean logarithm of the seconds to the uniform search's end, and who gets there.

    ``usual`` are the uniform searches, one for each seed from 0.
    """
    goal = float(np.mean([played.best[-1] for played in usual]))
    played = [_play(pool, rule, prunes, n_trials, seed) for seed in range(len(usual))]
    reached = [search.seconds_to(goal) for search in played]
    charged = [
        max(search.seconds[-1], other.seconds[-1]) if seconds is None else seconds
        for seconds, search, other in zip(reached, played, usual, strict=True)
    ]
    share = float(np.mean([seconds is not None for seconds in reached]))
    return float(np.mean(np.log(charged))), share


def _play(pool: Pool, rule: str, prunes: bool, n_trials: int, seed: int) -> Played:
    rng = np.random.default_rng(seed)
    left = {name: [0, *(1 + rng.permutation(len(runs) - 1))] for name, runs in pool.items()}
    outcomes: dict[str, list[float]] = {name: [] for name in pool}
    complete: list[NDArray[np.float64]] = []
    best, seconds = [], []
    for number in range(n_trials):
        able = {name: values for name, values in outcomes.items() if left[name]}
        if not able:
            break
        name = min(able, key=lambda n: len(able[n])) if number < len(pool) else ""
        name = name or ALLOCATIONS[rule](able, np.random.default_rng([seed, number]))
        run = pool[name][int(left[name].pop(0))]
        n_folds = _n_folds(run, complete, len(pool)) if prunes else len(run.scores)
        if n_folds == len(run.scores):
            complete.append(run.scores)
        outcomes[name].append(float(run.scores[:n_folds].mean()))
        best.append(max((float(scores.mean()) for scores in complete), default=-np.inf))
        seconds.append(float(run.seconds[:n_folds].sum()))
    return Played(np.array(best), np.cumsum(seconds))


def _n_folds(run: Measured, complete: Sequence[NDArray[np.float64]], n_first: int) -> int:
    """Return how many folds are run until the median rule of ``training.course`` prunes."""
    scores = run.scores.tolist()
    for n_run in range(1, len(scores)):
        if is_hopeless(scores[:n_run], [c.tolist() for c in complete], n_first=n_first):
            return n_run
    return len(scores)


if __name__ == "__main__":
    main()
