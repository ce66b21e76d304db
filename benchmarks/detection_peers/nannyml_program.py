"""NannyML's decisions on pairs of tables, by its default methods and thresholds.

Called with the first seed and the one after the last; prints one line of JSON: for each change
and each seed
whether any column alerts in any chunk (Jensen-Shannon, beyond three deviations of the reference's
chunks), and whether the multivariate one does (reconstruction by PCA). Chunks have 100 rows: ten
of the reference, as by default, and five of the current table.
"""

import json
import os
import sys

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import pandas as pd
from detection_tables import SHIFTS, Shift, pair

ROWS = 100


def decide(seed: int, shift: Shift) -> tuple[bool, bool]:
    """Return both decisions on one pair."""
    before, after = (pd.DataFrame(table) for table in pair(seed, shift))
    columns = list(before.columns)
    alone = nannyml.UnivariateDriftCalculator(column_names=columns, chunk_size=ROWS)
    joint = nannyml.DataReconstructionDriftCalculator(column_names=columns, chunk_size=ROWS)
    decisions = []
    for calculator in (alone, joint):
        found = calculator.fit(before).calculate(after).filter(period="analysis").to_df()
        alerts = found.loc[:, [c for c in found.columns if c[-1] == "alert"]]
        decisions.append(bool(alerts.to_numpy().any()))
    return decisions[0], decisions[1]


if __name__ == "__main__":
    seeds = range(*map(int, sys.argv[1:3]))
    found = {s.name: [decide(i, s) for i in seeds] for s in SHIFTS}
    print(json.dumps(found))
