"""A drift report as numbers with names, for a record of experiments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ml_orchestrator.health.models import DriftReport

__all__ = ["ReportNumbers", "numbers_of"]

MOST_NAME_CHARACTERS = 150
_ODD = re.compile(r"[^\w .-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReportNumbers:
    """Numbers by name, and by name and step."""

    metrics: Mapping[str, float]
    series: Mapping[str, tuple[float, ...]]


def numbers_of(report: DriftReport) -> ReportNumbers:
    """Return every finite number of a report.

    Of the data set ``is_drifted``, ``n_drifted`` and ``share_drifted``; of all columns together
    ``together.statistic`` and ``together.p_value``; of each column ``column.NAME.statistic``,
    ``column.NAME.p_adjusted`` and ``column.NAME.is_drifted``, in whose name other characters than
    letters, digits, space, ``_``, ``.`` and ``-`` are ``_``; and, chunk by chunk, the share of
    columns that drifted.
    """
    metrics: dict[str, float] = {
        "is_drifted": float(report.is_drifted),
        "n_drifted": float(report.n_drifted),
        "share_drifted": report.share_drifted,
    }
    for column, name in zip(report.columns, _names(report), strict=True):
        metrics[f"{name}.is_drifted"] = float(column.is_drifted)
        if column.statistic is not None:
            metrics[f"{name}.statistic"] = column.statistic
        if column.p_value_adjusted is not None:
            metrics[f"{name}.p_adjusted"] = column.p_value_adjusted
    if report.together is not None:
        metrics["together.p_value"] = report.together.p_value
        if report.together.statistic is not None:
            metrics["together.statistic"] = report.together.statistic
    if report.model is not None and report.model.share is not None:
        metrics["model.share_drifted"] = report.model.share
    chunks = () if report.over_time is None else report.over_time.chunks
    series = {"share_drifted_by_chunk": tuple(c.share_drifted for c in chunks)} if chunks else {}
    return ReportNumbers(metrics, series)


def _names(report: DriftReport) -> list[str]:
    """Return a name for each column; those that would be alike are numbered."""
    names: list[str] = []
    for column in report.columns:
        name = f"column.{_ODD.sub('_', column.column)[:MOST_NAME_CHARACTERS]}"
        again = 2
        while name in names:
            name, again = f"{name.removesuffix(f'-{again - 1}')}-{again}", again + 1
        names.append(name)
    return names
