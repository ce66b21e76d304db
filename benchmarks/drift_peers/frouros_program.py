"""Frouros's tests, one column after the other."""

import numpy as np
from _table import Table, answer
from frouros.detectors.data_drift import EMD, KSTest


def check(test: str, before: Table, after: Table) -> list[float]:
    """Return the p value of ks, or the distance in standard deviations of the reference."""
    scores = []
    for name, reference in before.items():
        detector = KSTest() if test == "ks" else EMD()
        detector.fit(X=reference)
        found = detector.compare(X=after[name])[0]
        scaled = float(found.p_value) if test == "ks" else found.distance / np.std(reference)
        scores.append(float(scaled))
    return scores


if __name__ == "__main__":
    answer(check)
