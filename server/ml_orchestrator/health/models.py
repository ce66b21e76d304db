"""What a drift check found, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.health.text_models import TextDrift
from ml_orchestrator.records import Record

__all__ = [
    "CategoryChange",
    "ColumnDrift",
    "ColumnImpact",
    "ColumnKind",
    "Correction",
    "DriftChunk",
    "DriftOverTime",
    "DriftReport",
    "Measure",
    "ModelImpact",
    "NumericChange",
    "SchemaChange",
    "TogetherDrift",
]

ColumnKind = Literal["numeric", "categorical", "text", "vectors"]
Measure = Literal["p_value", "distance"]
Correction = Literal["benjamini_hochberg", "holm", "none"]
Share = Annotated[float, Field(ge=0, le=1)]


class NumericChange(Record):
    """Where the middle of a numeric column was and is."""

    reference_mean: Annotated[float, Field(description="Mean of the reference.")]
    current_mean: Annotated[float, Field(description="Mean of the current sample.")]
    reference_median: Annotated[float, Field(description="Median of the reference.")]
    current_median: Annotated[float, Field(description="Median of the current sample.")]


class CategoryChange(Record):
    """How common one category was and is."""

    category: Annotated[str, Field(description="The category, as text.")]
    reference_share: Annotated[Share, Field(description="Its share of the reference, 0 to 1.")]
    current_share: Annotated[Share, Field(description="Its share of the current sample, 0 to 1.")]


class ColumnDrift(Record):
    """What one test found in one column."""

    column: Annotated[str, Field(description="Name of the column.")]
    kind: Annotated[ColumnKind, Field(description="How the column was read.")]
    test: Annotated[str, Field(description="Name of the drift test that was used.")]
    measure: Annotated[
        Measure,
        Field(
            description="What is compared with the threshold: the adjusted p value (drift at or "
            "below it) or the statistic, a distance (drift at or above it)."
        ),
    ]
    statistic: Annotated[
        float | None,
        Field(
            description="Value of the test's statistic or distance; null where it is infinite, "
            "because a category is new."
        ),
    ]
    p_value: Annotated[
        Share | None,
        Field(description="Before correction; of a distance only where it reaches its threshold."),
    ] = None
    p_value_adjusted: Annotated[Share | None, Field(description="P value after correction.")] = None
    threshold: Annotated[float, Field(description="Limit of the adjusted p value or distance.")]
    is_drifted: Annotated[bool, Field(description="Whether the limit was crossed.")]
    n_reference: Annotated[int, Field(ge=1, description="Values compared, reference.")]
    n_current: Annotated[int, Field(ge=1, description="Values compared, current sample.")]
    missing_share_reference: Annotated[
        Share, Field(description="Share of the reference's rows left out as missing or not finite.")
    ]
    missing_share_current: Annotated[
        Share, Field(description="Share of the current rows left out as missing or not finite.")
    ]
    numeric_change: Annotated[
        NumericChange | None, Field(description="Direction of a numeric column; else null.")
    ] = None
    category_changes: Annotated[
        tuple[CategoryChange, ...],
        Field(description="Categories whose share changed most, largest change first."),
    ] = ()
    text: Annotated[
        TextDrift | None, Field(description="What changed in a column of text; else null.")
    ] = None
    note: Annotated[
        str | None, Field(description="Why the result deserves caution; null if it does not.")
    ] = None
    summary: Annotated[str, Field(description="The finding in one sentence.")]


class SchemaChange(Record):
    """A column that cannot be compared with what it was."""

    column: Annotated[str, Field(description="Name of the column.")]
    change: Annotated[
        Literal["gone", "emptied", "filled", "retyped"], Field(description="What became of it.")
    ]
    summary: Annotated[str, Field(description="The finding in one sentence.")]


class TogetherDrift(Record):
    """What one test found in all columns together."""

    test: Annotated[str, Field(description="Name of the test.")]
    statistic: Annotated[
        float | None,
        Field(
            description="domain_classifier: area under the ROC curve, 0.5 is no drift; pca: error "
            "ratio, 1 is no drift; mmd: squared discrepancy, 0 is no drift. Null if infinite."
        ),
    ]
    p_value: Annotated[Share, Field(description="P value, not adjusted for other tests.")]
    is_drifted: Annotated[bool, Field(description="Whether the p value is at most alpha.")]
    important_columns: Annotated[
        dict[str, float],
        Field(description="Columns that tell the samples apart, most important first."),
    ] = {}
    summary: Annotated[str, Field(description="The finding in one sentence.")]
    note: Annotated[str | None, Field(description="What to know of the result.")] = None


class DriftChunk(Record):
    """The columns that drifted in one stretch of time."""

    start: Annotated[str, Field(description="First moment, or number of the first row.")]
    end: Annotated[str, Field(description="Last moment, or number of the last row.")]
    n_rows: Annotated[int, Field(ge=1, description="Rows.")]
    drifted_columns: Annotated[tuple[str, ...], Field(description="Names, clearest first.")]
    share_drifted: Annotated[Share, Field(description="Share of the columns compared.")]


class DriftOverTime(Record):
    """Since when columns have drifted."""

    since: Annotated[str | None, Field(description="Start of the first drifted chunk, or null.")]
    columns_since: Annotated[
        dict[str, str], Field(description="Drifted column to the start of its first chunk.")
    ]
    changes: Annotated[
        dict[str, str],
        Field(
            description="Drifted column of numbers to the row from which it changed, by a detector "
            "that reads row by row (ADWIN); empty without the extra streams."
        ),
    ] = {}
    chunks: Annotated[tuple[DriftChunk, ...], Field(description="Earliest first.")]
    summary: Annotated[str, Field(description="The finding in one sentence.")]


class ColumnImpact(Record):
    """How much a model relies on a drifted column."""

    column: Annotated[str, Field(description="Name of the column.")]
    importance_share: Annotated[
        Share, Field(description="Its share of the model's importances, 0 to 1.")
    ]


class ModelImpact(Record):
    """Whether drift matters to a model."""

    model: Annotated[str, Field(description="Name and version.")]
    share: Annotated[
        Share | None,
        Field(description="Share of its importance that drifted; null without importances."),
    ]
    matters: Annotated[
        bool | None,
        Field(
            description="Whether a drifted column has 5 % of it or more, or an outcome drifted; "
            "null if unknown."
        ),
    ]
    columns: Annotated[
        tuple[ColumnImpact, ...],
        Field(description="Columns that drifted, also together, most important first."),
    ]
    outcomes: Annotated[
        tuple[str, ...],
        Field(description="Drifted columns of its target, predictions and probabilities."),
    ] = ()
    summary: Annotated[str, Field(description="The finding in one sentence.")]


class DriftReport(Record):
    """Whether a data set drifted, and what each column says."""

    is_drifted: Annotated[
        bool,
        Field(
            description="Whether the share of drifted columns reaches share_threshold, or all "
            "columns together drifted."
        ),
    ]
    is_any_column_drifted: Annotated[
        bool, Field(description="Whether at least one column drifted.")
    ]
    drifted_columns: Annotated[
        tuple[str, ...],
        Field(description="Names: schema_changes, then drifted columns, clearest first."),
    ]
    n_columns: Annotated[int, Field(ge=1, description="Columns compared, and schema_changes.")]
    n_drifted: Annotated[int, Field(ge=0, description="Columns that drifted.")]
    share_drifted: Annotated[Share, Field(description="n_drifted over n_columns.")]
    share_threshold: Annotated[
        Share, Field(description="Share of columns from which the data set counts as drifted.")
    ]
    alpha: Annotated[float, Field(gt=0, lt=1, description="Limit of the adjusted p values.")]
    correction: Annotated[
        Correction, Field(description="How p values were adjusted for the number of columns.")
    ]
    columns: Annotated[
        tuple[ColumnDrift, ...],
        Field(description="One entry per column compared: drifted first, clearest first."),
    ]
    schema_changes: Annotated[
        tuple[SchemaChange, ...],
        Field(description="Columns that cannot be compared any more; each counts as drifted."),
    ] = ()
    unchecked_columns: Annotated[
        tuple[str, ...], Field(description="Columns that were given and not compared.")
    ] = ()
    notices: Annotated[
        tuple[str, ...], Field(description="What to know of how this came about.")
    ] = ()
    together: Annotated[
        TogetherDrift | None, Field(description="Columns tested together, if that was asked for.")
    ] = None
    over_time: Annotated[
        DriftOverTime | None, Field(description="Chunk by chunk, if that was asked for.")
    ] = None
    model: Annotated[
        ModelImpact | None, Field(description="Whether it matters to the model that was named.")
    ] = None
    next_steps: Annotated[tuple[str, ...], Field(description="What to do, in this order.")] = ()
    summary: Annotated[str, Field(description="The finding in one or two sentences.")]


class DriftPage(Record):
    """A drift report that was written as a page."""

    page: Annotated[str, Field(description="Path of the HTML page.")]
    is_drifted: Annotated[bool, Field(description="Whether the data set as a whole drifted.")]
    mlflow_run: Annotated[
        str | None, Field(description="MLflow run it was logged as; null unless asked for.")
    ] = None
    summary: Annotated[str, Field(description="The finding in one or two sentences.")]
