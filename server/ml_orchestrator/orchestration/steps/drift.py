"""Compare current data with a reference, to decide whether a model needs new training."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.datasets.row_names import why_not_compared
from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.health.counting import count_report
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.schema_changes import split_by_schema
from ml_orchestrator.orchestration.samples import Side, side_of
from ml_orchestrator.orchestration.steps._base import StepContext

__all__ = ["compare"]


def compare(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return whether the data drifted, which columns did, and the finding in words.

    Columns that only number or name rows, and those of dates and times, are left out, as the words
    say.
    """
    context.report(0.0, "comparing the data with the reference")
    column_types = params.get("column_types", {})  # a run of an earlier release has none
    before = _side(context, params["reference"], column_types)
    after = _side(context, params["source"], column_types)
    left_out = before.left_out(before.columns, after.columns)
    names = [name for name in before.columns if name not in left_out]
    comparable, changes = split_by_schema(before.columns, after.columns, names)
    report = check_drift(
        before.columns,
        after.columns,
        columns=comparable,
        schema_changes=changes,
        alpha=params["alpha"],
        share_threshold=params["share_threshold"],
    )
    count_report(report)
    drift = {
        "is_drifted": report.is_drifted,
        "drifted_columns": list(report.drifted_columns),
        "share_drifted": report.share_drifted,
        "summary": " ".join([report.summary, *why_not_compared(left_out, before.times)]),
    }
    return {"drift": drift}


def _side(context: StepContext, source: str, column_types: Mapping[str, ColumnType]) -> Side:
    roots, max_bytes = context.settings.roots, context.settings.max_data_bytes
    dataset = load_dataset(source, roots=roots, max_bytes=max_bytes, column_types=column_types)
    return side_of(dataset)
