"""Evidently's tests, one column after the other and without a report around them."""

import pandas as pd
from _table import Table, answer
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType

NAMES = {"ks": "ks", "wasserstein": "wasserstein", "psi": "psi", "jensen_shannon": "jensenshannon"}


def check(test: str, before: Table, after: Table) -> list[float]:
    """Return the drift score of each column."""
    scores = []
    for name in before:
        old, new = pd.Series(before[name]), pd.Series(after[name])
        stattest = get_stattest(old, new, ColumnType.Numerical, NAMES[test])
        scores.append(float(stattest(old, new, ColumnType.Numerical, None).drift_score))
    return scores


if __name__ == "__main__":
    answer(check)
