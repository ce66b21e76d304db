"""What a data set looks like, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "CategoryCount",
    "ColumnKind",
    "ColumnProfile",
    "ColumnType",
    "DatasetProfile",
    "LeakageSuspect",
    "QualityCheck",
    "QualityFinding",
    "QualityReport",
    "SplitKind",
    "Task",
]

ColumnKind = Literal[
    "numeric", "boolean", "temporal", "categorical", "text", "empty", "unsupported"
]
ColumnType = Literal["numeric", "categorical", "boolean", "temporal", "ignore"]
SplitKind = Literal["random", "time", "group"]
QualityCheck = Literal[
    "schema", "nulls", "range", "categories", "duplicates", "volume", "freshness"
]
Task = Literal["classification", "regression"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class CategoryCount(Record):
    """One value of a column and how often it occurs."""

    value: Annotated[str, Field(description="The value as text, cut at 100 characters.")]
    count: Annotated[Count, Field(description="Rows that have it.")]
    share: Annotated[Share, Field(description="Its share of the rows with a value, 0 to 1.")]


class ColumnProfile(Record):
    """What one column holds. Numbers are null where the kind has none."""

    name: Annotated[str, Field(description="Name of the column.")]
    dtype: Annotated[str, Field(description="Storage type, as Polars names it.")]
    kind: Annotated[
        ColumnKind,
        Field(
            description="How training reads it; empty has no value at all, unsupported (lists, "
            "bytes) is left out."
        ),
    ]
    missing_share: Annotated[Share, Field(description="Share of rows without a value, 0 to 1.")]
    n_unique: Annotated[Count, Field(description="Distinct values, missing ones not counted.")]
    minimum: Annotated[
        float | str | None, Field(description="Smallest value; ISO 8601 text for times.")
    ] = None
    maximum: Annotated[
        float | str | None, Field(description="Largest value; ISO 8601 text for times.")
    ] = None
    mean: Annotated[float | None, Field(description="Mean; share of true for booleans.")] = None
    std: Annotated[float | None, Field(description="Sample standard deviation.")] = None
    quantiles: Annotated[
        dict[str, float], Field(description="Values at 0.05, 0.25, 0.5, 0.75 and 0.95.")
    ] = {}
    skew: Annotated[float | None, Field(description="Skewness; 0 is symmetric.")] = None
    outlier_share: Annotated[
        Share | None,
        Field(
            description="Share beyond 1.5 interquartile ranges from the quartiles, 0 to 1; null "
            "for two values at most."
        ),
    ] = None
    top: Annotated[
        tuple[CategoryCount, ...], Field(description="Most frequent values, at most ten.")
    ] = ()
    is_constant: Annotated[bool, Field(description="Whether all values are the same.")] = False
    is_id_like: Annotated[
        bool, Field(description="Whether it numbers or names the rows and explains nothing.")
    ] = False


class LeakageSuspect(Record):
    """A column that alone gives the target away."""

    column: Annotated[str, Field(description="Name of the column.")]
    measure: Annotated[str, Field(description="balanced_accuracy or r2, measured out of fold.")]
    score: Annotated[float, Field(description="What this column alone reaches; 1 is perfect.")]
    evidence: Annotated[str, Field(description="What was measured, in words.")]


class QualityFinding(Record):
    """One thing that is not as it was."""

    check: Annotated[QualityCheck, Field(description="What kind of check found it.")]
    column: Annotated[str | None, Field(description="Where; null for the table as a whole.")]
    severity: Annotated[
        Literal["error", "warning"],
        Field(description="error: what reads the data may fail or be wrong; warning: look at it."),
    ]
    summary: Annotated[str, Field(description="What was expected and what was found.")]


class QualityReport(Record):
    """Whether a table is like the one that a baseline was made from."""

    is_ok: Annotated[bool, Field(description="Whether nothing of severity error was found.")]
    findings: Annotated[
        tuple[QualityFinding, ...], Field(description="What was found, errors first.")
    ]
    summary: Annotated[str, Field(description="The outcome in one sentence.")]


class DatasetProfile(Record):
    """What a data set holds, what is wrong with it and what it could be used for."""

    source: Annotated[str, Field(description="The data set, as it was asked for.")]
    description: Annotated[str, Field(description="What the data are and where they come from.")]
    digest: Annotated[str, Field(description="SHA-256 of the content, hexadecimal.")]
    n_rows: Annotated[Count, Field(description="Rows.")]
    n_columns: Annotated[Count, Field(description="Columns, the target included.")]
    duplicate_rows: Annotated[Count, Field(description="Rows that repeat an earlier row.")]
    n_columns_shown: Annotated[Count, Field(description="Columns described in columns.")]
    columns: Annotated[
        tuple[ColumnProfile, ...],
        Field(description="Columns described, in the table's order; at most 100 unless named."),
    ]
    constant_columns: Annotated[tuple[str, ...], Field(description="Columns of one value.")]
    empty_columns: Annotated[tuple[str, ...], Field(description="Columns without any value.")]
    id_like_columns: Annotated[
        tuple[str, ...], Field(description="Columns that only number or name the rows.")
    ]
    target: Annotated[str | None, Field(description="Column to predict, if one is known.")] = None
    suggested_task: Annotated[
        Task | None, Field(description="What predicting the target is, read from its values.")
    ] = None
    suggested_metric: Annotated[
        str | None, Field(description="A metric that fits the task and the balance.")
    ] = None
    target_balance: Annotated[
        dict[str, float],
        Field(description="Share of each class, largest first; empty for regression."),
    ] = {}
    suggested_split: Annotated[
        SplitKind,
        Field(description="How to hold rows out; training takes time_column or group_column."),
    ] = "random"
    split_column: Annotated[
        str | None, Field(description="The column that orders or groups the rows.")
    ] = None
    split_evidence: Annotated[str, Field(description="What was seen, in words.")] = ""
    group_column: Annotated[
        str | None,
        Field(
            description="Names what rows repeat (a person), or of rows in time the series, for "
            "training's group_column."
        ),
    ] = None
    group_evidence: Annotated[str, Field(description="What was seen of it, in words.")] = ""
    meta_features: Annotated[
        dict[str, float],
        Field(description="What kind of data set this is, measured; empty without a target."),
    ] = {}
    leakage_suspects: Annotated[
        tuple[LeakageSuspect, ...],
        Field(description="Columns that alone predict the target nearly perfectly."),
    ] = ()
    quality: Annotated[
        QualityReport | None, Field(description="Held against the baseline, if one was named.")
    ] = None
    warnings: Annotated[
        tuple[str, ...], Field(description="What to look at before training, one sentence each.")
    ] = ()
