"""NannyML's estimates without labels on its own data; writes the tables that it was given.

Called with the name of a data set, rows of a chunk and a folder; prints one line of JSON: each
metric's estimates, chunk by chunk. Rows beyond the last whole chunk are left out.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import numpy as np
import pandas as pd

NOT_FEATURES = {"id", "timestamp", "year"}
DATA: dict[str, tuple[str, str, str, str | None]] = {  # loader; truth, prediction, probability
    "census": (
        "load_us_census_ma_employment_data",
        "employed",
        "prediction",
        "predicted_probability",
    ),
    "housing": (
        "load_modified_california_housing_dataset",
        "clf_target",
        "y_pred",
        "y_pred_proba",
    ),
    "car loan": ("load_synthetic_car_loan_dataset", "repaid", "y_pred", "y_pred_proba"),
    "car price": ("load_synthetic_car_price_dataset", "y_true", "y_pred", None),
}


def main() -> None:
    """Estimate, write the tables and print the estimates."""
    pd.set_option("future.infer_string", False)  # NannyML 0.13 cannot read the texts of pandas 3
    name, n_rows, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    loader, truth, said, chance = DATA[name]
    reference, later, labels = getattr(nannyml.datasets, loader)()
    later = later[: len(later) // n_rows * n_rows]
    estimates = _estimated(reference, later, truth, said, chance, n_rows)
    current = later.merge(labels, on="id", how="left", validate="one_to_one")
    names = {truth: "truth", said: "said"} | ({chance: "chance"} if chance else {})
    for side, frame in (("reference", reference), ("current", current)):
        kept = frame.rename(columns=names).drop(
            columns=["id", "timestamp", "year"], errors="ignore"
        )
        kept.to_csv(folder / f"{side}.csv", index=False)
    print(json.dumps(estimates))


def _estimated(
    reference: pd.DataFrame,
    later: pd.DataFrame,
    truth: str,
    said: str,
    chance: str | None,
    n_rows: int,
) -> dict[str, list[float]]:
    if chance is None:
        metrics = ["mae", "rmse"]
        features = [c for c in later.columns if c not in NOT_FEATURES | {said}]
        estimator: Any = nannyml.DLE(
            feature_column_names=features, y_true=truth, y_pred=said, metrics=metrics,
            chunk_size=n_rows,
        )  # fmt: skip
    else:
        metrics = ["roc_auc", "accuracy"]
        estimator = nannyml.CBPE(
            problem_type="classification_binary", y_true=truth, y_pred=said, y_pred_proba=chance,
            metrics=metrics, chunk_size=n_rows,
        )  # fmt: skip
    found = estimator.fit(reference).estimate(later).filter(period="analysis").to_df()
    return {name: np.asarray(found[(name, "value")], float).tolist() for name in metrics}


if __name__ == "__main__":
    main()
