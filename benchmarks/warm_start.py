"""How many trials a search saves that begins with what did best on similar data sets.

Real tables. Every problem is searched cold, with its full budget; then warm, with the same seed,
folds and budget, twice: after what a cold search found on an *earlier* part of the same table (the
first 60 % of the rows in time order, else 60 % drawn), as when a model is trained again on grown
data; and after what cold searches found on all *other* tables of the same task.

Compared is the number of trials until each search is about as good as the worse of both is in the
end: its distance to a perfect score (1) is at most 1 % larger. So both get there, and neither is
measured by a score that only its own luck has reached. Ratios are geometric means over problems
and seeds, with a 95 % bootstrap interval over tables.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _figures import Figure, show, show_ratio
from _real_tables import Problem, real_problems

from ml_orchestrator.training.models import TrainingSummary
from ml_orchestrator.training.search import train
from ml_orchestrator.training.warm_start import Experience, Leader

QUICK = ("wine", "breast_cancer", "anes96, vote", "fair, any", "diabetes", "star98", "engel", "co2")
N_FOLDS = 3
EARLIER = 0.6  # of the rows
TOLERANCE = 0.01
EARLY = 5  # trials after which scores are compared as well


@dataclass(frozen=True, slots=True)
class Searched:
    """One search: the best score after each trial, and what it found."""

    best: tuple[float, ...]
    summary: TrainingSummary
    leaders: tuple[Leader, ...]

    def trials_to(self, loss: float) -> int:
        """Return the first trial after which the loss is at most ``loss``."""
        return next(number for number, score in enumerate(self.best, 1) if 1 - score <= loss)


@dataclass(frozen=True, slots=True)
class Pair:
    """A cold and a warm search with the same seed."""

    problem: Problem
    cold: Searched
    warm: Searched

    @property
    def trials(self) -> tuple[int, int]:
        """Trials that the cold and the warm search need to the score that both reach."""
        worse = min(self.cold.best[-1], self.warm.best[-1])
        loss = (1 - worse) * (1 + TOLERANCE) + 1e-12
        return self.cold.trials_to(loss), self.warm.trials_to(loss)


def main() -> None:
    """Search, compare and print."""
    options = _options()
    problems = real_problems()
    n_seeds, budget = (1, 20) if options.quick else (options.seeds, 30)
    if options.quick:
        problems = [problem for problem in problems if problem.name in QUICK]
    seeds = range(options.seed, options.seed + n_seeds)
    # Forked, a child could wait for a lock that a thread of a library held.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, spawning, initializer=_quiet) as pool:
        cold = _all(pool, problems, seeds, budget, {})
        before = _all(pool, [_earlier(problem) for problem in problems], seeds, budget, {})
        keys = [(problem.name, seed) for problem in problems for seed in seeds]
        own = {key: [_experience(key[0], before[key])] for key in keys}
        others = {
            (problem.name, seed): _of_others(problem, seed, cold, problems)
            for problem in problems
            for seed in seeds
        }
        warm = {
            "an earlier part of the table": _all(pool, problems, seeds, budget, own),
            "other tables": _all(pool, problems, seeds, budget, others),
        }
    for source, searched in warm.items():
        pairs = [Pair(p, cold[p.name, s], searched[p.name, s]) for p in problems for s in seeds]
        _show(source, pairs, n_seeds, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="eight problems, one seed, 20 trials")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--jobs", type=int, default=2, help="searches at the same time")
    return parser.parse_args()


Key = tuple[str, int]


def _all(
    pool: ProcessPoolExecutor,
    problems: Sequence[Problem],
    seeds: Sequence[int],
    budget: int,
    known: Mapping[Key, Sequence[Experience]],
) -> dict[Key, Searched]:
    waiting = {
        (problem.name, seed): pool.submit(
            _search, problem, seed, budget, known.get((problem.name, seed), ())
        )
        for problem in problems
        for seed in seeds
    }
    return {key: found.result() for key, found in waiting.items()}


def _quiet() -> None:
    warnings.simplefilter("ignore")


def _search(problem: Problem, seed: int, budget: int, known: Sequence[Experience]) -> Searched:
    best: dict[int, float] = {}

    def note(fraction: float, message: str, numbers: Mapping[str, float]) -> None:
        if "best_score" in numbers:
            best[int(numbers["n_finished"])] = numbers["best_score"]

    spec = problem.spec(
        n_trials=budget, timeout_s=86_400, n_folds=N_FOLDS, seed=seed, warm_start=bool(known)
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            spec,
            problem.dataset,
            study_dir=Path(folder) / "study",
            report=note,
            recall=lambda _: known,
        )
    curve = [best.get(number, float("-inf")) for number in range(1, budget + 1)]
    best_so_far = tuple(np.maximum.accumulate(curve).tolist())
    return Searched(best_so_far, trained.summary, trained.leaders)


def _earlier(problem: Problem) -> Problem:
    """Return the problem as it was when its table had 60 % of its rows."""
    whole = problem.dataset
    n_rows = round(EARLIER * whole.frame.height)
    if problem.time_column is None:
        frame = whole.frame.sample(n_rows, seed=0)
    else:
        frame = whole.frame.sort(problem.time_column).head(n_rows)
    return replace(problem, dataset=replace(whole, frame=frame, digest=f"{whole.digest}, earlier"))


def _of_others(
    problem: Problem, seed: int, cold: Mapping[Key, Searched], problems: Sequence[Problem]
) -> list[Experience]:
    """Return what cold searches with this seed found on other tables of the same task."""
    return [
        _experience(other.name, cold[other.name, seed])
        for other in problems
        if other.table != problem.table and other.task == problem.task
    ]


def _experience(name: str, searched: Searched) -> Experience:
    summary = searched.summary
    return Experience(
        run_id=name,
        dataset_digest=summary.dataset_digest,
        meta_features=summary.meta_features,
        leaders=searched.leaders,
    )


def _show(source: str, pairs: Sequence[Pair], n_seeds: int, *, as_json: bool) -> None:
    by_problem: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_problem.setdefault(pair.problem.name, []).append(pair)
    medians = {
        name: tuple(
            statistics.median(column) for column in zip(*(p.trials for p in same), strict=True)
        )
        for name, same in by_problem.items()
    }
    if not as_json:
        print(f"Warm after {source}:")
        _show_problems(by_problem, medians)
    cold, warm = ([both[i] for both in medians.values()] for i in (0, 1))
    show(
        [
            Figure(f"trials, after {source}", "trials", statistics.median(warm),
                   statistics.median(cold), "cold", None, len(medians) * n_seeds),
        ],
        as_json=as_json,
    )  # fmt: skip
    tables = [same[0].problem.table for same in by_problem.values()]
    trials = np.array(
        [
            statistics.fmean(float(np.log(warm / cold)) for cold, warm in (p.trials for p in same))
            for same in by_problem.values()
        ]
    )
    early = np.array([_log_loss_ratio(same, EARLY) for same in by_problem.values()])
    final = np.array([_log_loss_ratio(same, 0) for same in by_problem.values()])
    for name, values in (
        ("trials, warm / cold", trials),
        (f"loss after {EARLY} trials, warm / cold", early),
        ("loss after all trials, warm / cold", final),
    ):
        show_ratio(f"{name} ({source})", values, tables, n=len(pairs), as_json=as_json)
    started = sum(bool(pair.warm.summary.warm_starts) for pair in pairs)
    if not as_json:
        print(f"{started} of {len(pairs)} warm searches had something to begin with\n")


def _log_loss_ratio(same: Sequence[Pair], number: int) -> float:
    """Return the mean over seeds of log(warm / cold loss) after ``number`` trials; 0: all."""
    return statistics.fmean(
        float(
            np.log(max(1e-3, 1 - p.warm.best[number - 1]) / max(1e-3, 1 - p.cold.best[number - 1]))
        )
        for p in same
    )


def _show_problems(
    by_problem: Mapping[str, Sequence[Pair]], medians: Mapping[str, tuple[float, ...]]
) -> None:
    for name, same in by_problem.items():
        cold, warm = medians[name]
        first = same[0]
        from_where = ", ".join(
            f"{s.run_id} {s.distance:.2f}" for s in first.warm.summary.warm_starts
        )
        print(
            f"{name:<16} trials cold {cold:4.0f} warm {warm:4.0f}   {first.cold.summary.metric} "
            f"{first.cold.best[-1]:.4f} / {first.warm.best[-1]:.4f}   "
            f"begins with: {from_where or 'nothing'}"
        )


if __name__ == "__main__":
    main()
