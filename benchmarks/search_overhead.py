"""What our search costs a fold, beside raw Optuna on the same folds of the same models.

Three families whose model sleeps as long as a small one takes to fit, on a table of 1,000 rows.
Both sides build, fit, ask and score the same pipelines, use TPE, a journal file and a pruner, and
report every fold. Ours is the search that ``train`` runs: it also chooses families, keeps its
order through crashes, keeps the answers of the best trials and the time for the end, forecasts
times and tells its progress. What a training does once, before and after its search, is not in
it. Measured in turns.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
from _figures import Figure, arguments, in_turns, show
from numpy.typing import NDArray
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
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
GOAL = 1.05


class Sleeper(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the first column, made smaller by ``miss``: the R2 of it is 1 - ``miss`` ** 2."""

    def __init__(self, miss: float = 0.0) -> None:
        self.miss = miss

    def fit(self, X: NDArray[np.float64], y: Any) -> "Sleeper":  # noqa: N803 scikit-learn's
        """Take the time of a small model."""
        time.sleep(FOLD_S)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: N803
        """Return one value a row."""
        return (1 - self.miss) * X[:, 0]


class Family:
    """Sleepers by two parameters, best at 0.3 and 2; later families are worse."""

    needs = Needs(categories="ordinal", scales=False, imputes=False)
    first_params: Params = {"x": 0.5, "y": 1.0}  # noqa: RUF012 never changed

    def __init__(self, place: int) -> None:
        self._place = place

    def fits(self, problem: Problem) -> bool:
        """Return whether a number is wanted."""
        return problem.task == "regression"

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return a point of the plane."""
        return {"x": space.real("x", 0.0, 1.0), "y": space.real("y", 0.1, 10.0, log=True)}

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Sleeper:
        """Return the model."""
        x, y = float(params["x"]), float(params["y"])
        return Sleeper(float(np.sqrt((x - 0.3) ** 2 + (y - 2) ** 2 / 9 + 0.1 * self._place)))


def main() -> None:
    """Measure both in turns and print."""
    options = arguments(__doc__)
    n_trials, rounds = (20, 3) if options.quick else (60, 7)
    for place, name in enumerate(FAMILIES):
        TRAINERS.register(name)(Family(place))
    job = _job(n_trials)
    found = in_turns({"ours": lambda: _ours(job), "optuna": lambda: _raw(job)}, rounds=rounds)
    ours, raw = (statistics.median(found[name]) for name in ("ours", "optuna"))
    name = f"ms a fold, of which {1_000 * FOLD_S:g} ms asleep"
    show([Figure(name, "ms", ours, raw, "optuna", GOAL, rounds * n_trials)], as_json=options.json)


def _job(n_trials: int) -> Job:
    values = np.random.default_rng(0).normal(size=(N_ROWS, N_COLUMNS))
    frame = pl.DataFrame(values, schema=[f"x{i}" for i in range(N_COLUMNS)])
    frame = frame.with_columns(y=pl.col("x0"))
    spec = TrainingSpec(
        source="made", trainers=FAMILIES, n_trials=n_trials, timeout_s=86_400, n_folds=N_FOLDS,
        metric="r2",
    )  # fmt: skip
    return prepare(spec, Dataset("made", frame, "made", "made", "y"))


def _ours(job: Job) -> float:
    with tempfile.TemporaryDirectory() as folder:
        search = set_up(job, Path(folder, "study"), recall=lambda _: (), began_at=time.monotonic())
        began_at = time.perf_counter()
        result = run(search, report=lambda *_: None, is_stopped=Path(folder, "stop").exists)
        seconds = time.perf_counter() - began_at
    return 1_000 * seconds / sum(len(trial.scores) for trial in result.trials)


def _raw(job: Job) -> float:
    n_folds, table = 0, job.table

    def objective(trial: optuna.Trial) -> float:
        nonlocal n_folds
        family = trial.suggest_categorical("trainer", FAMILIES)
        x = trial.suggest_float(f"{family}.x", 0.0, 1.0)
        y = trial.suggest_float(f"{family}.y", 0.1, 10.0, log=True)
        total = 0.0
        for fold, (fit_rows, score_rows) in enumerate(job.split.folds):
            model = fit(job.build({"trainer": family, "x": x, "y": y}), table, fit_rows)
            given = predict(model, table.features.iloc[score_rows], table, score_rows)
            n_folds += 1
            total += table.metric.compute(given)
            trial.report(total / (fold + 1), fold)
            if trial.should_prune():
                raise optuna.TrialPruned
        return total / N_FOLDS

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        began_at = time.perf_counter()
        study = optuna.create_study(
            direction="maximize",
            storage=JournalStorage(JournalFileBackend(str(Path(folder, "study.journal")))),
            sampler=TPESampler(seed=0, multivariate=False),
            pruner=MedianPruner(n_warmup_steps=1),
        )
        study.optimize(objective, n_trials=job.spec.n_trials)
        return 1_000 * (time.perf_counter() - began_at) / n_folds


if __name__ == "__main__":
    main()
