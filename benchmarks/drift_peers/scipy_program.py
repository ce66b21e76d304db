"""Scipy's functions, one column after the other."""

import numpy as np
from _table import Table, answer
from scipy.stats import ks_2samp, wasserstein_distance


def check(test: str, before: Table, after: Table) -> list[float]:
    """Return the p value of ks, or the distance in standard deviations of the reference."""
    if test == "ks":
        return [float(ks_2samp(before[name], after[name]).pvalue) for name in before]
    return [
        float(wasserstein_distance(before[name], after[name]) / np.std(before[name]))
        for name in before
    ]


if __name__ == "__main__":
    answer(check)
