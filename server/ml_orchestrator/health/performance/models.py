"""What a performance check found, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = ["MetricOverTime", "PerformanceChunk", "PerformanceReport", "Range", "Score"]


class Range(Record):
    """A number and the range it plausibly lies in."""

    value: Annotated[float, Field(description="The number.")]
    low: Annotated[float, Field(description="Lower end of the 95 % interval.")]
    high: Annotated[float, Field(description="Upper end of the 95 % interval.")]


class Score(Record):
    """One metric in one chunk."""

    realised: Annotated[
        Range | None, Field(description="Measured on the rows with a label; null without enough.")
    ] = None
    estimated: Annotated[
        Range | None,
        Field(description="Estimated without labels; the interval is for what labels would show."),
    ] = None
    is_worse: Annotated[bool, Field(description="Whether it is beyond the metric's limit.")]


class PerformanceChunk(Record):
    """One stretch of time."""

    start: Annotated[str, Field(description="First moment, or number of the first row.")]
    end: Annotated[str, Field(description="Last moment, or number of the last row.")]
    n_rows: Annotated[int, Field(ge=1, description="Rows.")]
    n_labelled: Annotated[int, Field(ge=0, description="Rows whose label is known.")]
    scores: Annotated[dict[str, Score], Field(description="By metric.")]


class MetricOverTime(Record):
    """How one metric went."""

    higher_is_better: Annotated[bool, Field(description="Direction of the metric.")]
    reference: Annotated[float, Field(description="What the model reached on the reference.")]
    limit: Annotated[
        float,
        Field(description="Beyond it a chunk of the usual size is worse than chance explains."),
    ]
    n_worse: Annotated[int, Field(ge=0, description="Chunks that are worse.")]
    worse_since: Annotated[
        str | None, Field(description="Start of the first worse chunk; null if none is.")
    ] = None
    estimate_gap: Annotated[
        float | None,
        Field(
            description="Mean distance of estimate and measurement over chunks that have both; "
            "null if none has."
        ),
    ] = None
    coverage: Annotated[
        float | None,
        Field(description="Share of those chunks whose measurement lies in the interval."),
    ] = None


class PerformanceReport(Record):
    """Whether a model became worse, since when, and how that is known."""

    is_worse: Annotated[bool, Field(description="Whether any metric is worse in a chunk.")]
    since: Annotated[str | None, Field(description="Start of the first worse chunk, or null.")]
    errors_rose: Annotated[
        str | None,
        Field(
            description="Row from which labelled rows have more or larger errors, by a detector "
            "that reads them one by one (ADWIN); null if it is not worse, or finds none, or "
            "without the extra streams."
        ),
    ] = None
    task: Annotated[Literal["classification", "regression"], Field(description="Kind of model.")]
    method: Annotated[
        Literal["cbpe", "dle", "none"],
        Field(
            description="cbpe: from calibrated probabilities; dle: from a model of the errors; "
            "none: measured only."
        ),
    ]
    metrics: Annotated[dict[str, MetricOverTime], Field(description="By metric, main one first.")]
    chunks: Annotated[tuple[PerformanceChunk, ...], Field(description="Earliest first.")]
    assumption: Annotated[
        str | None, Field(description="What the estimates rest on; null without estimates.")
    ]
    next_steps: Annotated[tuple[str, ...], Field(description="What to do, in this order.")]
    notices: Annotated[
        tuple[str, ...], Field(description="What to know of how this came about.")
    ] = ()
    summary: Annotated[str, Field(description="The finding in one or two sentences.")]
