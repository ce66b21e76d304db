"""What our search costs a trial, beside raw Optuna on the same objective.

The objective yields five fold scores and sleeps as long as a fold of a small model takes. Both use
TPE, a journal file and a pruner, and report every fold; ours also chooses families, keeps its
order through crashes, forecasts times and tells its progress. Measured in turns.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
from _figures import Figure, arguments, in_turns, show
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import Objective, StudyPlan

N_FOLDS = 5
FOLD_S = 0.02
FAMILIES = ("a", "b", "c")
GOAL = 1.05


def main() -> None:
    """Measure both in turns and print."""
    options = arguments(__doc__)
    n_trials, rounds = (20, 3) if options.quick else (60, 7)
    found = in_turns(
        {"ours": lambda: _ours(n_trials), "optuna": lambda: _raw(n_trials)}, rounds=rounds
    )
    ours, raw = (statistics.median(found[name]) for name in ("ours", "optuna"))
    name = f"ms a fold of {1_000 * FOLD_S:g} ms, all overhead included"
    show([Figure(name, "ms", ours, raw, "optuna", GOAL, rounds * n_trials)], as_json=options.json)


def _score(family: str, x: float, y: float) -> float:
    return -((x - 0.3) ** 2) - (y - 2) ** 2 / 9 - 0.1 * FAMILIES.index(family)


def _ours(n_trials: int) -> float:
    n_folds = 0

    def suggest(space: ParamSpace) -> Params:
        family = space.choice("family", FAMILIES)
        return {
            "family": family,
            "x": space.real(f"{family}.x", 0.0, 1.0),
            "y": space.real(f"{family}.y", 0.1, 10.0, log=True),
        }

    def evaluate(params: Params) -> Iterator[float]:
        nonlocal n_folds
        for fold in range(N_FOLDS):
            time.sleep(FOLD_S)
            n_folds += 1
            x, y = float(params["x"]), float(params["y"])
            yield _score(str(params["family"]), x, y) + 0.01 * fold

    with tempfile.TemporaryDirectory() as folder:
        plan = StudyPlan(
            Path(folder, "study"), "overhead", True, n_trials, 1e6, seed=0,
            family="family", families=FAMILIES, n_folds=N_FOLDS,
        )  # fmt: skip
        began_at = time.perf_counter()
        run_study(plan, Objective(suggest, evaluate), on_progress=lambda _: None)
        return 1_000 * (time.perf_counter() - began_at) / n_folds


def _raw(n_trials: int) -> float:
    n_folds = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal n_folds
        family = trial.suggest_categorical("family", FAMILIES)
        x = trial.suggest_float(f"{family}.x", 0.0, 1.0)
        y = trial.suggest_float(f"{family}.y", 0.1, 10.0, log=True)
        total = 0.0
        for fold in range(N_FOLDS):
            time.sleep(FOLD_S)
            n_folds += 1
            total += _score(family, x, y) + 0.01 * fold
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
        study.optimize(objective, n_trials=n_trials)
        return 1_000 * (time.perf_counter() - began_at) / n_folds


if __name__ == "__main__":
    main()
