"""How large an effect must be to be found, and how many cases it takes."""

import math
from statistics import NormalDist

from ml_orchestrator.evaluation.patterns.parts import SHARES

__all__ = ["NOTEWORTHY_SD", "TYPICAL_SUPPORT", "cases_needed", "detectable_effect"]

TYPICAL_SUPPORT = 0.1
NOTEWORTHY_SD = 0.2  # standard deviations of the outcome: ten points of an even yes-or-no one
_POWER_Z = NormalDist().inv_cdf(0.8)


def detectable_effect(n_cases: int, outcome_sd: float, *, selection_z: float, fdr: float) -> float:
    """Return the effect found with a chance of 80 % if every tenth case holds the pattern.

    The stricter of the two hurdles counts: to be selected among many, and to be confirmed.

    Args:
        n_cases: in all three parts.
        outcome_sd: standard deviation of the outcome.
        selection_z: what a pattern must exceed to be selected.
        fdr: false share allowed; a test alone is held against it.

    >>> round(detectable_effect(8_000, 0.5, selection_z=4.0, fdr=0.1), 3)
    0.116
    """
    return outcome_sd * math.sqrt(_cases_per_effect(selection_z, fdr) / n_cases)


def cases_needed(effect_sd: float, *, selection_z: float, fdr: float) -> int:
    """Return how many cases find an effect of so many standard deviations 8 times in 10.

    >>> cases_needed(0.2, selection_z=4.0, fdr=0.1)
    10851
    """
    return math.ceil(_cases_per_effect(selection_z, fdr) / effect_sd**2)


def _cases_per_effect(selection_z: float, fdr: float) -> float:
    spread = TYPICAL_SUPPORT * (1 - TYPICAL_SUPPORT)
    test_z = NormalDist().inv_cdf(1 - fdr)
    hurdles = ((selection_z, SHARES[0]), (test_z, SHARES[1]))
    return max((z + _POWER_Z) ** 2 / (share * spread) for z, share in hurdles)
