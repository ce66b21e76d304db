"""Health and drift tools."""

from typing import Annotated, Literal, TypeAlias

from mcp.types import CallToolResult
from pydantic import Field, WithJsonSchema

from ml_orchestrator.faults import formed
from ml_orchestrator.health.models import Correction, DriftPage, DriftReport
from ml_orchestrator.health.options import (
    CHUNK_PATTERN,
    CHUNK_WORDS,
    NAME_PATTERN,
    NAME_WORDS,
    BaselineSaved,
    DriftOptions,
    PerformanceOptions,
)
from ml_orchestrator.health.performance.models import PerformanceReport
from ml_orchestrator.health.status import HealthReport
from ml_orchestrator.tools._arguments import Agent, ColumnTypes, Source
from ml_orchestrator.tools._images import with_pictures
from ml_orchestrator.tools._services import Monitoring
from ml_orchestrator.tools._tool import tool

__all__ = ["baseline_save", "drift_check", "drift_report", "health_get", "performance_check"]

InlineColumns: TypeAlias = Annotated[
    dict[str, list[float | str | None]],
    WithJsonSchema({"type": "object"}),
    Field(min_length=1, max_length=200, description="Column name to values; null is missing."),
]
TimeColumn: TypeAlias = Annotated[
    str | None, Field(max_length=200, description="When rows were; else in order.")
]
ChunkSize: TypeAlias = Annotated[
    Annotated[str, formed(CHUNK_PATTERN, CHUNK_WORDS)] | None,
    Field(description="500rows, 6h, 1d, 1w, 1mo; else tenths."),
]
OnlyColumns: TypeAlias = Annotated[
    list[str] | None,
    Field(min_length=1, max_length=500, description="Only these; e_*: one vector."),
]
ForModel: TypeAlias = Annotated[
    str | None,
    Field(max_length=300, description="NAME@ALIAS or NAME/VERSION that may suffer."),
]
AllTogether: TypeAlias = Annotated[
    Literal["domain_classifier", "mmd", "pca"] | None,
    Field(description="All columns too: sees correlations change."),
]
_AS_CHECKED = Field(description="As drift_check.")
_SAMPLE = "Data file, builtin:NAME, baseline:NAME, or column to values."


@tool(title="Check drift", reads_only=True)
async def drift_check(
    reference: Annotated[Source | InlineColumns, Field(description=_SAMPLE)],
    current: Annotated[Source | InlineColumns, Field(description="The later, likewise.")],
    monitoring: Monitoring,
    columns: OnlyColumns = None,
    test: Annotated[
        str, Field(max_length=64, description="auto: by kind and rows; or a test's name.")
    ] = "auto",
    alpha: Annotated[float, Field(gt=0, lt=1, description="For p values.")] = 0.05,
    correction: Annotated[
        Correction,
        Field(description="For many columns."),
    ] = "benjamini_hochberg",
    share_threshold: Annotated[
        float,
        Field(gt=0, le=1, description="Drifted columns that make the whole drift."),
    ] = 0.5,
    together: AllTogether = None,
    time_column: TimeColumn = None,
    chunk: ChunkSize = None,
    model: ForModel = None,
    column_types: ColumnTypes = {},  # noqa: B006 never changed; pydantic copies it
    with_plot: Annotated[bool, Field(description="Add a picture.")] = False,
) -> Annotated[CallToolResult, DriftReport]:
    """Say which columns drifted between two samples, how much, and whether the whole did.

    With time_column or chunk since when. performance_check says whether a model suffers.
    """
    options = DriftOptions(
        columns=columns,
        test=test,
        alpha=alpha,
        correction=correction,
        share_threshold=share_threshold,
        together=together,
        with_plot=with_plot,
        time_column=time_column,
        chunk=chunk,
        model=model,
        column_types=column_types,
    )
    report, pictures = await monitoring.drift(reference, current, options)
    return with_pictures(report, *pictures)


@tool(title="Write a drift report")
async def drift_report(
    agent: Agent,
    reference: Annotated[Source, Field(description="File, builtin:NAME or baseline:NAME.")],
    current: Annotated[Source, Field(description="The later, likewise.")],
    monitoring: Monitoring,
    columns: Annotated[OnlyColumns, _AS_CHECKED] = None,
    together: Annotated[AllTogether, _AS_CHECKED] = None,
    time_column: Annotated[TimeColumn, _AS_CHECKED] = None,
    chunk: Annotated[ChunkSize, _AS_CHECKED] = None,
    model: Annotated[ForModel, _AS_CHECKED] = None,
    column_types: Annotated[ColumnTypes, _AS_CHECKED] = {},  # noqa: B006 never changed; pydantic copies it
    to_mlflow: Annotated[bool, Field(description="Also a run in experiment monitoring.")] = False,
) -> DriftPage:
    """Write what drift_check finds, with pictures, as an HTML page; the newest 100 are kept."""
    options = DriftOptions(
        columns=columns,
        together=together,
        time_column=time_column,
        chunk=chunk,
        model=model,
        column_types=column_types,
        to_mlflow=to_mlflow,
    )
    return await monitoring.write_drift_report(reference, current, options)


@tool(title="Check performance", reads_only=True)
async def performance_check(
    reference: Annotated[
        Source, Field(description="File of predictions with labels, not of training.")
    ],
    current: Annotated[Source, Field(description="File of later predictions; labels may lack.")],
    target: Annotated[str, Field(max_length=200, description="Label column; all 0 or 1: classes.")],
    monitoring: Monitoring,
    prediction: Annotated[
        str | None,
        Field(max_length=200, description="Its column; else the likeliest class."),
    ] = None,
    probabilities: Annotated[
        dict[str, str] | None,
        WithJsonSchema({"type": "object"}),
        Field(min_length=1, max_length=100, description="Class to column of its probability."),
    ] = None,
    time_column: TimeColumn = None,
    chunk: ChunkSize = None,
    with_plot: Annotated[bool, Field(description="Add a picture.")] = False,
) -> Annotated[CallToolResult, PerformanceReport]:
    """Say whether a model became worse and since when, by labels or else by an estimate.

    That sees shifted inputs, not concept drift.
    """
    options = PerformanceOptions(
        target=target,
        prediction=prediction,
        probabilities=probabilities,
        time_column=time_column,
        chunk=chunk,
        with_plot=with_plot,
    )
    report, pictures = await monitoring.performance(reference, current, options)
    return with_pictures(report, *pictures)


@tool(title="Save a baseline")
async def baseline_save(
    agent: Agent,
    name: Annotated[str, formed(NAME_PATTERN, NAME_WORDS), Field(description="Name.")],
    source: Source,
    monitoring: Monitoring,
    columns: OnlyColumns = None,
    column_types: ColumnTypes = {},  # noqa: B006 never changed; pydantic copies it
) -> BaselineSaved:
    """Keep a data set as baseline:NAME, a reference for drift_check and dataset_profile.

    It never changes.
    """
    return await monitoring.save_baseline(name, source, columns=columns, column_types=column_types)


@tool(title="Get health", reads_only=True)
async def health_get(
    monitoring: Monitoring,
    detail: Annotated[
        Literal["concise", "detailed"],
        Field(description="concise: what is in use; detailed: opens and probes all."),
    ] = "concise",
) -> HealthReport:
    """Say whether services, stores, worker and model servers are live and ready.

    What was not probed is unknown.
    """
    return await monitoring.health(detail)
