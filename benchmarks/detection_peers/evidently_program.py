"""Evidently's decisions on pairs of tables, by its defaults.

Called with a number of seeds; prints one line of JSON: for each change and each seed
whether the data set drifted (half of the columns, its default) and whether any column did.
"""

import json
import sys

import pandas as pd
from detection_tables import SHIFTS, Shift, pair
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def decide(seed: int, shift: Shift) -> tuple[bool, bool]:
    """Return both decisions on one pair."""
    kinds = DataDefinition(
        numerical_columns=[f"x{i}" for i in range(6)], categorical_columns=["kind", "place"]
    )
    before, after = (
        Dataset.from_pandas(pd.DataFrame(t), data_definition=kinds) for t in pair(seed, shift)
    )
    found = Report([DataDriftPreset()]).run(after, before).dict()
    counted = next(
        m["value"] for m in found["metrics"] if m["metric_name"].startswith("DriftedColumnsCount")
    )
    return counted["share"] >= 0.5, counted["count"] > 0


if __name__ == "__main__":
    found = {s.name: [decide(i, s) for i in range(int(sys.argv[1]))] for s in SHIFTS}
    print(json.dumps(found))
