"""Evidently's report of drift, as its users run it: the preset on two data frames."""

from typing import Any

import pandas as pd
from _table import answer
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

NAMES = {"ks": "ks", "wasserstein": "wasserstein", "psi": "psi", "jensen_shannon": "jensenshannon"}


def check(test: str, before: pd.DataFrame, after: pd.DataFrame) -> list[float]:
    """Return the drift score of each column, read from the report."""
    kinds = DataDefinition(numerical_columns=list(before.columns))
    old, new = (Dataset.from_pandas(frame, data_definition=kinds) for frame in (before, after))
    found = Report([DataDriftPreset(num_method=NAMES[test])]).run(new, old).dict()
    scores = {m["config"]["column"]: m["value"] for m in found["metrics"] if _is_of_column(m)}
    return [float(scores[name]) for name in before.columns]


def _is_of_column(metric: dict[str, Any]) -> bool:
    return str(metric["metric_name"]).startswith("ValueDrift")


if __name__ == "__main__":
    answer(check, shaped=pd.DataFrame)
