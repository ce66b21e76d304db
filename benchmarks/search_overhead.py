"""What our search costs a trial, beside raw Optuna on the same objective.

Three families whose model sleeps as long as a small one takes to fit, on a table of 1,000 rows,
five folds a trial. No model is better than another, so neither side prunes a trial and both run
all folds of all trials. All build, fit, ask and score the same pipelines, use TPE and a pruner,
and report every fold; raw Optuna once with a journal file, as ours has, and once in memory, from
which nothing can be resumed. Ours is the search that ``train`` runs: it also chooses families,
keeps its order through crashes, keeps the answers of the best trials and the time for the end,
forecasts times and tells its progress. What a training does once, before and after its search,
and what it tries on features alone, is not in it.

Measured in turns, in both orders. Beside the clock's time stands that which other programs do
not change: the processor's time and the time asleep. Ratios are geometric means over rounds, with
a 95 % bootstrap interval over rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
from _figures import Figure, show, show_ratio
from numpy.typing import NDArray
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.base import BaseEstimator, RegressorMixin

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.job import Job, prepare
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainers import TRAINERS, Needs, Problem
from ml_orchestrator.training.trials import run, set_up

N_ROWS, N_COLUMNS = 1_000, 5
N_FOLDS = 5
FOLD_S = 0.02
FAMILIES = ("sleeper_a", "sleeper_b", "sleeper_c")
PEERS = ("optuna, journal", "optuna, in memory")
GOAL = 1.05


class Sleeper(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts half of the first column, whatever its parameters."""

    def __init__(self, x: float = 0.0, y: float = 1.0) -> None:
        self.x = x
        self.y = y

    def fit(self, X: NDArray[np.float64], y: Any) -> "Sleeper":  # noqa: N803 scikit-learn's
        """Take the time of a small model."""
        time.sleep(FOLD_S)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: N803
        """Return one value a row."""
        return X[:, 0] / 2


class Family:
    """Sleepers by two parameters."""

    needs = Needs(categories="ordinal", scales=False, imputes=False)
    first_params: Params = {"x": 0.5, "y": 1.0}  # noqa: RUF012 never changed

    def fits(self, problem: Problem) -> bool:
        """Return whether a number is wanted."""
        return problem.task == "regression"

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return a point of the plane."""
        return {"x": space.real("x", 0.0, 1.0), "y": space.real("y", 0.1, 10.0, log=True)}

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Sleeper:
        """Return the model."""
        return Sleeper(float(params["x"]), float(params["y"]))


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds a trial: by the clock, and of the processor with those asleep."""

    clock_ms: float
    work_ms: float


def main() -> None:
    """Measure all in turns and print."""
    options = _options()
    n_trials, n_rounds = options.trials, options.rounds
    for name in FAMILIES:
        TRAINERS.register(name)(Family())
    job = _job(n_trials)
    subjects: Mapping[str, Callable[[], Taken]] = {
        "ours": lambda: _ours(job),
        PEERS[0]: lambda: _raw(job, _journal),
        PEERS[1]: lambda: _raw(job, lambda _: InMemoryStorage()),
    }
    _ours(_job(4))  # imports what is loaded on first use
    rounds = []
    for number in range(n_rounds):
        order = list(subjects)[:: -1 if number % 2 else 1]
        rounds.append({name: subjects[name]() for name in order})
    for peer in PEERS:
        _show(rounds, peer, n_trials, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 trials, 4 rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--trials", type=int, default=60, help="of each search")
    parser.add_argument("--rounds", type=int, default=8, help="turns of all")
    options = parser.parse_args()
    if options.quick:
        options.trials, options.rounds = 20, 4
    return options


def _show(
    rounds: Sequence[Mapping[str, Taken]], peer: str, n_trials: int, options: argparse.Namespace
) -> None:
    names = [str(number) for number in range(len(rounds))]
    ways: Mapping[str, Callable[[Taken], float]] = {
        "ms a trial": lambda taken: taken.clock_ms,
        "ms a trial, of the processor and asleep": lambda taken: taken.work_ms,
    }
    for name, part in ways.items():
        ours, raw = ([part(found[who]) for found in rounds] for who in ("ours", peer))
        both = statistics.median(ours), statistics.median(raw)
        show([Figure(name, "ms", *both, peer, GOAL, len(rounds) * n_trials)], as_json=options.json)
        logs = np.log(np.array(ours) / np.array(raw))
        show_ratio(
            f"{name}, ours / {peer}", logs, names, n=len(rounds), as_json=options.json, goal=GOAL
        )


def _job(n_trials: int) -> Job:
    values = np.random.default_rng(0).normal(size=(N_ROWS, N_COLUMNS))
    frame = pl.DataFrame(values, schema=[f"x{i}" for i in range(N_COLUMNS)])
    frame = frame.with_columns(y=pl.col("x0"))
    spec = TrainingSpec(
        source="made", trainers=FAMILIES, n_trials=n_trials, timeout_s=86_400, n_folds=N_FOLDS,
        metric="r2",
    )  # fmt: skip
    return prepare(spec, Dataset("made", frame, "made", "made", "y"))


def _ours(job: Job) -> Taken:
    with tempfile.TemporaryDirectory() as folder:
        search = set_up(job, Path(folder, "study"), recall=lambda _: (), began_at=time.monotonic())
        # What is tried on features is another objective.
        search = replace(search, plan=replace(search.plan, stages=()))
        is_stopped = Path(folder, "stop").exists
        began = _now()
        result = run(search, report=lambda *_: None, is_stopped=is_stopped)
        taken = _since(began, len(result.trials))
    if {trial.state for trial in result.trials} != {"complete"}:
        raise RuntimeError("Not every trial ran all of its folds; nothing can be compared.")
    return taken


def _raw(job: Job, store: Callable[[Path], BaseStorage]) -> Taken:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        began = _now()
        study = optuna.create_study(
            direction="maximize",
            storage=store(Path(folder)),
            sampler=TPESampler(seed=0, multivariate=False),
            pruner=MedianPruner(n_warmup_steps=1),
        )
        study.optimize(lambda trial: _score(job, trial), n_trials=job.spec.n_trials)
        taken = _since(began, job.spec.n_trials)
        states = {trial.state.name for trial in study.trials}
    if states != {"COMPLETE"}:
        raise RuntimeError("Not every trial ran all of its folds; nothing can be compared.")
    return taken


def _journal(folder: Path) -> BaseStorage:
    return JournalStorage(JournalFileBackend(str(folder / "study.journal")))


def _score(job: Job, trial: optuna.Trial) -> float:
    family = trial.suggest_categorical("trainer", FAMILIES)
    x = trial.suggest_float(f"{family}.x", 0.0, 1.0)
    y = trial.suggest_float(f"{family}.y", 0.1, 10.0, log=True)
    table, total = job.table, 0.0
    for fold, (fit_rows, score_rows) in enumerate(job.split.folds):
        model = fit(job.build({"trainer": family, "x": x, "y": y}), table, fit_rows)
        given = predict(model, table.features.iloc[score_rows], table, score_rows)
        total += table.metric.compute(given)
        trial.report(total / (fold + 1), fold)
        if trial.should_prune():
            raise optuna.TrialPruned
    return total / N_FOLDS


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float], n_trials: int) -> Taken:
    clock, worked = (1_000 * (b - a) / n_trials for a, b in zip(began, _now(), strict=True))
    return Taken(clock, worked + 1_000 * FOLD_S * N_FOLDS)


if __name__ == "__main__":
    main()
