"""Runs FLAML or AutoGluon in an environment of its own, on a table that the benchmark wrote.

Usage: run_peer.py NAME FOLDER. Reads train.parquet, test.parquet and order.json; writes
answers.parquet: one column of values, or one column of probabilities a class.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TARGET = "(target)"
FLAML = {"roc_auc": "roc_auc", "r2": "r2", "rmse": "rmse", "log_loss": "log_loss"}
GLUON = {
    "roc_auc": "roc_auc",
    "r2": "r2",
    "rmse": "root_mean_squared_error",
    "f1_macro": "f1_macro",
}


def main(name: str, folder: Path) -> None:
    """Train within the time and write what is predicted."""
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    run = {"flaml": _flaml, "autogluon": _autogluon}[name]
    answers = pd.DataFrame(run(order, train, test, folder))
    answers.columns = [str(column) for column in answers.columns]
    answers.to_parquet(folder / "answers.parquet")


def _flaml(order: dict[str, Any], train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> Any:
    is_class = order["task"] == "classification"
    metric = FLAML.get(order["metric"], "macro_f1" if is_class else "r2")
    if metric == "roc_auc" and order["n_classes"] > 2:
        metric = "roc_auc_ovr"
    given: dict[str, Any] = {}
    if order["is_ordered"]:
        given["split_type"] = "time"
    if order["groups"] is not None:
        given.update(split_type="group", groups=np.array(order["groups"]))
    model = importlib.import_module("flaml").AutoML()
    model.fit(
        X_train=train.drop(columns=TARGET),
        y_train=train[TARGET].to_numpy(),
        task=order["task"],
        metric=metric,
        time_budget=order["budget_s"],
        seed=order["seed"],
        n_jobs=1,
        verbose=0,
        **given,
    )
    return model.predict_proba(test) if is_class else model.predict(test)


def _autogluon(order: dict[str, Any], train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> Any:
    is_class = order["task"] == "classification"
    metric = GLUON.get(order["metric"], "f1_macro" if is_class else "r2")
    if metric == "roc_auc" and order["n_classes"] > 2:
        metric = "roc_auc_ovo_macro"
    kind = ("binary" if order["n_classes"] == 2 else "multiclass") if is_class else "regression"
    model = (
        importlib.import_module("autogluon.tabular")
        .TabularPredictor(
            label=TARGET,
            problem_type=kind,
            eval_metric=metric,
            path=str(folder / "model"),
            verbosity=0,
        )
        .fit(train, presets="medium_quality", time_limit=order["budget_s"], num_cpus=1)
    )
    return model.predict_proba(test) if is_class else model.predict(test)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
