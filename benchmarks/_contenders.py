"""Ways from a table to a model, all with the same rows, folds and time.

Each takes a question and returns what it predicts for the held-out rows. The folds, the encoding of
columns and the metric are the same for those that are not ours; the peers encode for themselves.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from _peers import peer_python
from _real_tables import Problem
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.search import train
from ml_orchestrator.training.splits import Split, plan_split
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.trainer import Needs

__all__ = ["CONTENDERS", "Contender", "Question", "constant", "contenders", "question"]

PEERS = {"flaml": ("flaml[automl]", "pyarrow"), "autogluon": ("autogluon.tabular[lightgbm]",)}
RUNNER = Path(__file__).parent / "training_peers" / "run_peer.py"
TREES = Needs(categories="ordinal", scales=False, imputes=False)
FOREST = Needs(categories="one_hot", scales=False, imputes=True)
HAS_LIGHTGBM = importlib.util.find_spec("lightgbm") is not None
SEARCH_SHARE = 0.9  # of the time; the rest is for the last fit


@dataclass(frozen=True, slots=True)
class Question:
    """One table with its split, and how long an answer may take."""

    problem: Problem
    spec: TrainingSpec
    table: TrainingTable
    split: Split

    @property
    def is_class(self) -> bool:
        """Whether classes are predicted."""
        return self.table.task == "classification"


Contender = Callable[[Question], Predictions]


def question(problem: Problem, *, budget_s: float, seed: int) -> Question:
    """Return the question with its split; the same seed gives the same rows to all."""
    spec = problem.spec(n_trials=1_000, timeout_s=budget_s, n_folds=5, seed=seed)
    table = prepare_table(spec, problem.dataset)
    return Question(problem, spec, table, plan_split(spec, table))


def contenders(wanted: Sequence[str]) -> dict[str, Contender]:
    """Return those wanted by name, peers made ready; who cannot be had here is named aloud."""
    found = {}
    for name in wanted:
        contender = _peer_if_any(name) if name in PEERS else OWN[name]
        if contender is None or ("lightgbm" in name and not HAS_LIGHTGBM):
            print(f"absent: {name}", file=sys.stderr)
        else:
            found[name] = contender
    return found


def constant(asked: Question) -> Predictions:
    """Return what predicts the mean or the class shares."""
    rows = asked.split.train
    made = DummyClassifier(strategy="prior") if asked.is_class else DummyRegressor()
    made.fit(asked.table.features.iloc[rows], asked.table.labels[rows])
    return _judged(made, asked)


def _ours(asked: Question) -> Predictions:
    with tempfile.TemporaryDirectory() as folder:
        model = train(
            asked.spec,
            asked.problem.dataset,
            study_dir=Path(folder) / "study",
            report=lambda *_: None,
        ).pipeline
    return _judged(model, asked)


def _default(asked: Question, estimator: Any, needs: Needs) -> Predictions:
    pipeline = build_pipeline(asked.table.kinds, needs, estimator)
    return _judged(fit(pipeline, asked.table, asked.split.train), asked)


def _judged(model: Any, asked: Question) -> Predictions:
    rows = asked.split.test
    return predict(model, asked.table.features.iloc[rows], asked.table, rows)


def _tuned(asked: Question, build: Callable[[Question, dict[str, Any]], Any]) -> Predictions:
    """What a person writes in an afternoon: TPE over one family until the time is nearly up."""
    began_at, table = time.monotonic(), asked.table

    def score(trial: optuna.Trial) -> float:
        params = _drawn(trial)
        scores: list[float] = []
        for fit_rows, score_rows in asked.split.folds:
            if scores and time.monotonic() - began_at > SEARCH_SHARE * asked.spec.timeout_s:
                raise optuna.TrialPruned
            pipeline = build_pipeline(table.kinds, TREES, build(asked, params))
            model = fit(pipeline, table, fit_rows)
            given = predict(model, table.features.iloc[score_rows], table, score_rows)
            scores.append(table.metric.compute(given))
        return float(np.mean(scores))

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize" if table.metric.higher_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=asked.spec.seed),
    )
    study.optimize(score, timeout=SEARCH_SHARE * asked.spec.timeout_s)
    has_one = any(trial.state.name == "COMPLETE" for trial in study.trials)
    params = study.best_params if has_one else {}
    return _default(asked, build(asked, params), TREES)


def _drawn(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "n_rounds": trial.suggest_int("n_rounds", 30, 500, log=True),
        "n_leaves": trial.suggest_int("n_leaves", 4, 128, log=True),
        "min_leaf_rows": trial.suggest_int("min_leaf_rows", 5, 100, log=True),
        "l2": trial.suggest_float("l2", 1e-4, 10.0, log=True),
    }


def _boosting(asked: Question, params: dict[str, Any]) -> Any:
    made = HistGradientBoostingClassifier if asked.is_class else HistGradientBoostingRegressor
    names = {
        "learning_rate": "learning_rate",
        "n_rounds": "max_iter",
        "n_leaves": "max_leaf_nodes",
        "min_leaf_rows": "min_samples_leaf",
        "l2": "l2_regularization",
    }
    return made(random_state=asked.spec.seed, **{names[k]: v for k, v in params.items()})


def _lightgbm(asked: Question, params: dict[str, Any]) -> Any:
    lightgbm = __import__("lightgbm")
    made = lightgbm.LGBMClassifier if asked.is_class else lightgbm.LGBMRegressor
    names = {
        "learning_rate": "learning_rate",
        "n_rounds": "n_estimators",
        "n_leaves": "num_leaves",
        "min_leaf_rows": "min_child_samples",
        "l2": "reg_lambda",
    }
    given = {names[k]: v for k, v in params.items()}
    return made(random_state=asked.spec.seed, n_jobs=1, verbose=-1, **given)


def _forest(asked: Question) -> Any:
    made = RandomForestClassifier if asked.is_class else RandomForestRegressor
    return made(random_state=asked.spec.seed)


def _peer_if_any(name: str) -> Contender | None:
    python = peer_python(name, *PEERS[name])
    return None if python is None else _peer(name, python)


def _peer(name: str, python: Path) -> Contender:
    def answer(asked: Question) -> Predictions:
        table, split = asked.table, asked.split
        with tempfile.TemporaryDirectory() as folder:
            for part, rows in (("train", split.train), ("test", split.test)):
                frame = table.features.iloc[rows].reset_index(drop=True)
                if part == "train":
                    frame = frame.assign(**{"(target)": table.codes[rows]})
                frame.to_parquet(Path(folder, f"{part}.parquet"))
            order = {
                "task": table.task,
                "n_classes": len(table.classes),
                "metric": table.metric.name,
                "budget_s": asked.spec.timeout_s,
                "seed": asked.spec.seed,
                "is_ordered": table.times is not None,
                "groups": None if table.groups is None else table.groups[split.train].tolist(),
            }
            Path(folder, "order.json").write_text(json.dumps(order), encoding="utf-8")
            subprocess.run([str(python), str(RUNNER), name, folder], check=True, stdout=2)
            answers = pd.read_parquet(Path(folder, "answers.parquet")).to_numpy(dtype=float)
        truth = table.codes[split.test]
        if not asked.is_class:
            return Predictions(truth, answers[:, 0], np.empty((len(truth), 0)))
        return Predictions(truth, answers.argmax(axis=1), answers)

    return answer


OWN: dict[str, Contender] = {
    "ours": _ours,
    "optuna, boosting": lambda q: _tuned(q, _boosting),
    "optuna, lightgbm": lambda q: _tuned(q, _lightgbm),
    "default boosting": lambda q: _default(q, _boosting(q, {}), TREES),
    "default forest": lambda q: _default(q, _forest(q), FOREST),
    "default lightgbm": lambda q: _default(q, _lightgbm(q, {}), TREES),
}
CONTENDERS = (*OWN, *PEERS)
