"""Columns of new data compared with a monitor's reference together, not one by one."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ml_orchestrator.health.multivariate import TOGETHER_TESTS
from ml_orchestrator.health.multivariate.contract import LEAST_ROWS
from ml_orchestrator.health.together import check_together
from ml_orchestrator.orchestration.monitors.faults import Faults
from ml_orchestrator.orchestration.monitors.findings import Judgement
from ml_orchestrator.orchestration.samples import Side

__all__ = ["check_together_can_judge", "judge_together"]

Table = Mapping[str, NDArray[Any]]


def judge_together(
    found: Judgement,
    test: str,
    before: Side,
    current: Table,
    names: Sequence[str],
    *,
    alpha: float,
) -> None:
    """Add what a test of all columns together finds in new data.

    Args:
        found: what is added to.
        test: name of an entry of `TOGETHER_TESTS`.
        before: the reference.
        current: the new data.
        names: columns that both have.
        alpha: chance to find unchanged data bad, if rows do not depend on each other.

    Raises:
        OrchestratorError: nothing varies, or columns are of different kinds.
    """
    n_rows = min(len(table[name]) for table in (before.rows, current) for name in names)
    if n_rows < LEAST_ROWS:
        found.n_open += 1
        found.remarks.append(f"Columns together are compared from {LEAST_ROWS} rows on.")
        return
    report = check_together(before.rows, current, test=test, alpha=alpha, columns=sorted(names))
    found.n_checks += 1
    if report.is_drifted:
        found.find("drift together", report.summary)
    else:
        found.remarks.append(report.summary)
    found.remarks += [report.note] if report.note else []


def check_together_can_judge(
    faults: Faults, test: str, rows: Table, names: Sequence[str], *, least_rows: int
) -> None:
    """Note a test that is not there, and looks or references that are too small for it."""
    with faults.collected():
        TOGETHER_TESTS[test]
    n_rows = min(len(rows[name]) for name in names)
    for what, n_given in (("least_rows is", least_rows), ("rows of the reference:", n_rows)):
        if n_given < LEAST_ROWS:
            faults.add(f"drift.together compares from {LEAST_ROWS} rows on; {what} {n_given}.")
