"""Why a search for patterns deserves caution."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.evaluation.patterns.models import Pattern
from ml_orchestrator.evaluation.patterns.power import NOTEWORTHY_SD, cases_needed
from ml_orchestrator.evaluation.patterns.request import PatternSpec

__all__ = ["cautions"]

FEW_GROUPS = 200
FEW_CONFIRMED = 10
LEAST_AUTOCORRELATION = 0.1


def cautions(
    *,
    n_cases: int,
    sd: float,
    selection_z: float,
    spec: PatternSpec,
    is_binary: bool,
    patterns: Sequence[Pattern],
    residuals: NDArray[np.float64] | None,
    n_groups: int,
    giveaways: Sequence[str],
) -> tuple[str, ...]:
    """Return one sentence for each thing a reader should know before acting."""
    found = []
    if giveaways:
        found.append(
            f"{', '.join(giveaways[:5])}: nearly gives the outcome away. A copy or a result of it "
            "explains nothing and hides other patterns: leave it out, unless it was known before."
        )
    needed = cases_needed(NOTEWORTHY_SD, selection_z=selection_z, fdr=spec.fdr)
    if needed > n_cases:
        effect = NOTEWORTHY_SD * sd
        shown = f"{100 * effect:.1f} points" if is_binary else f"{effect:.3g}"
        found.append(
            f"{n_cases:,} cases are few: to find an effect of {shown} that every tenth case holds "
            f"8 times in 10, about {needed:,} are needed. What was not found may still be there."
        )
    n_confirmed = sum(p.status != "selected" for p in patterns)
    if 0 < n_confirmed < FEW_CONFIRMED:
        found.append(
            f"{n_confirmed} confirmed patterns are too few for their share of replication to say "
            "much; look at each pattern's own interval."
        )
    if 0 < n_groups < FEW_GROUPS:
        found.append(f"{n_groups} groups are few; intervals may be somewhat too narrow.")
    if any(p.stand_ins for p in patterns if p.status != "selected"):
        found.append(
            "Some features go together, so another pattern (stand_ins) may be the real one; change "
            "one at a time in an experiment to tell."
        )
    if residuals is not None and _is_dependent(residuals):
        found.append(
            "Cases that follow each other are alike even so, and each was counted as independent: "
            "give a group column (day, user, session) that holds such cases together."
        )
    return tuple(found)


def _is_dependent(residuals: NDArray[np.float64]) -> bool:
    centred = residuals - residuals.mean()
    size = float(centred @ centred)
    if size == 0:
        return False
    correlation = float(centred[1:] @ centred[:-1]) / size
    return correlation > max(LEAST_AUTOCORRELATION, 3 / math.sqrt(len(residuals)))
