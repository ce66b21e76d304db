"""Drift of the columns of a table together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.health.models import DriftReport, TogetherDrift
from ml_orchestrator.health.multivariate import TOGETHER_TESTS
from ml_orchestrator.health.multivariate.contract import read_rows

__all__ = ["check_together", "with_together"]

MOST_NAMED = 10
Table = Mapping[str, NDArray[Any]]


def check_together(
    reference: Table,
    current: Table,
    *,
    test: str,
    alpha: float,
    columns: Sequence[str],
    seed: int = 0,
) -> TogetherDrift:
    """Test whether the rows of two tables come from one joint distribution.

    It sees changes that no single column shows, such as a changed correlation. Missing values
    are kept apart by a feature of their own; categories count by the 20 most frequent ones.

    Args:
        reference: column name to array of shape ``(n_reference,)``, as for `check_drift`.
        current: the same columns, shape ``(n_current,)``.
        test: name of an entry of `TOGETHER_TESTS`.
        alpha: limit of the p value, between 0 and 1.
        columns: what to compare.
        seed: of draws, splits and permutations.

    Raises:
        NotFoundError: no such test.
        InvalidInputError: a side has fewer than 20 rows, or nothing varies.
    """
    entry = TOGETHER_TESTS[test]
    rows = read_rows(reference, current, columns, rng=np.random.default_rng(seed))
    found = entry(rows, seed=seed)
    is_drifted = found.p_value <= alpha
    ranked = sorted(found.importances.items(), key=lambda item: (-item[1], item[0]))
    important = {name: gain for name, gain in ranked[:MOST_NAMED] if is_drifted and gain > 0}
    n_rows = max(len(table[columns[0]]) for table in (reference, current))
    verdict = "drifted" if is_drifted else "did not drift"
    led_by = f", most of all by {', '.join(map(repr, list(important)[:3]))}" if important else ""
    return TogetherDrift(
        test=test,
        statistic=found.statistic if math.isfinite(found.statistic) else None,
        p_value=found.p_value,
        is_drifted=is_drifted,
        important_columns=important,
        summary=f"Together the columns {verdict} ({test}: {found.statistic:.4g}, "
        f"p {found.p_value:.3g}, alpha {alpha:g}){led_by}.",
        note=_drawn(n_rows, found.most_rows),
    )


def with_together(report: DriftReport, together: TogetherDrift) -> DriftReport:
    """Return a report with what a test of all columns found; either makes the data drifted."""
    summary = f"{report.summary} {together.summary}"
    if together.is_drifted and not report.is_drifted:
        alone = f"{report.n_drifted} of {report.n_columns} columns did by themselves"
        summary = f"The data drifted, as all columns together show; {alone}. {together.summary}"
    is_drifted = report.is_drifted or together.is_drifted
    return report.model_copy(
        update={"together": together, "is_drifted": is_drifted, "summary": summary}
    )


def _drawn(n_rows: int, most_rows: int) -> str | None:
    """Return that rows were drawn, if they were."""
    if n_rows <= most_rows:
        return None
    return f"Together {most_rows:,} rows of a side at most were compared, drawn at random."
