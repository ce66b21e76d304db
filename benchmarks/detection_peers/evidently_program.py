"""Evidently's decisions on pairs of tables, by its defaults.

Called with the first seed and the one after the last; prints one line of JSON: for each change
and each seed
whether the data set drifted (half of the columns, its default) and whether any column did.
"""

import json
import sys

import pandas as pd
from detection_tables import SHIFTS, Shift, pair
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import DriftedColumnsCount


def decide(seed: int, shift: Shift) -> tuple[bool, bool]:
    """Return both decisions on one pair, by the count that Evidently's preset decides by."""
    kinds = DataDefinition(
        numerical_columns=[f"x{i}" for i in range(6)], categorical_columns=["kind", "place"]
    )
    before, after = (
        Dataset.from_pandas(pd.DataFrame(t), data_definition=kinds) for t in pair(seed, shift)
    )
    found = Report([DriftedColumnsCount()]).run(after, before).dict()
    counted = next(
        m["value"] for m in found["metrics"] if m["metric_name"].startswith("DriftedColumnsCount")
    )
    return counted["share"] >= 0.5, counted["count"] > 0


if __name__ == "__main__":
    seeds = range(*map(int, sys.argv[1:3]))
    found = {s.name: [decide(i, s) for i in seeds] for s in SHIFTS}
    print(json.dumps(found))
