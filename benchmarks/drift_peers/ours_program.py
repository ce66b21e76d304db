"""Our check of a whole table, decision and descriptions included."""

from _table import Table, answer

from ml_orchestrator.health.report import check_drift


def check(test: str, before: Table, after: Table) -> list[float]:
    """Return the statistic of each column; of ks its p value, as Evidently reports it."""
    report = check_drift(before, after, tests=test)
    by_name = {column.column: column for column in report.columns}
    found = [by_name[name] for name in before]
    if test == "ks":
        return [float(column.p_value or 0.0) for column in found]
    return [float(column.statistic or 0.0) for column in found]


if __name__ == "__main__":
    answer(check)
