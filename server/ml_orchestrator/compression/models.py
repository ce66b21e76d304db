"""What a compression is asked for and what it found, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "METHODS",
    "CompressionReport",
    "Difference",
    "Equality",
    "Latency",
    "Method",
    "MethodReport",
    "Size",
    "Student",
    "Verdict",
]

Method = Literal["distil", "prune", "onnx", "quantise"]
Verdict = Literal["kept", "unclear", "worse", "no gain", "not possible"]
METHODS: tuple[Method, ...] = ("distil", "prune", "onnx", "quantise")


class Latency(Record):
    """How long predictions take, in ms: medians and 90th percentiles, both models in turns."""

    single_before: Annotated[float, Field(ge=0, description="One row, the original; median.")]
    single_after: Annotated[float, Field(ge=0, description="One row, the compressed; median.")]
    single_before_p90: Annotated[float, Field(ge=0, description="90th percentile.")]
    single_after_p90: Annotated[float, Field(ge=0, description="90th percentile.")]
    batch_before: Annotated[float, Field(ge=0, description="A batch, the original; median.")]
    batch_after: Annotated[float, Field(ge=0, description="A batch, the compressed; median.")]
    batch_before_p90: Annotated[float, Field(ge=0, description="90th percentile.")]
    batch_after_p90: Annotated[float, Field(ge=0, description="90th percentile.")]
    n_batch_rows: Annotated[int, Field(ge=1, description="Rows of a batch.")]
    n_single: Annotated[int, Field(ge=1, description="Measurements of one row, each model.")]
    n_batches: Annotated[int, Field(ge=1, description="Measurements of a batch, each model.")]

    @property
    def single_ratio(self) -> float:
        """How often as long the original takes for one row."""
        return self.single_before / self.single_after


class Size(Record):
    """Bytes of the model's file."""

    before: Annotated[int, Field(ge=1, description="The original's, in skops format.")]
    after: Annotated[int, Field(ge=1, description="The compressed one's, in its own format.")]

    @property
    def ratio(self) -> float:
        """How often as large the original is."""
        return self.before / self.after


class Difference(Record):
    """Quality on the held-out rows, before and after."""

    metric: Annotated[str, Field(description="What quality is measured in.")]
    before: Annotated[float, Field(description="The original's.")]
    after: Annotated[float, Field(description="The compressed one's.")]
    change: Annotated[float, Field(description="By how much it got better; below 0 is worse.")]
    low: Annotated[float, Field(description="Lower end of its bootstrap interval.")]
    high: Annotated[float, Field(description="Upper end.")]
    level: Annotated[
        float, Field(gt=0, lt=1, description="Of the interval: 0.9; more if several are tried.")
    ]
    margin: Annotated[
        float, Field(ge=0, description="How much worse it may get: tolerance times the gain.")
    ]
    kept: Annotated[
        float, Field(description="Share of the original's gain over the baseline that is left.")
    ]
    n: Annotated[int, Field(ge=1, description="Held-out rows.")]


class Equality(Record):
    """Whether an exported model says the same as the pipeline it was made from."""

    n_rows: Annotated[int, Field(ge=1, description="Held-out and awkward rows compared.")]
    n_awkward: Annotated[
        int, Field(ge=0, description="Of these with missing values, unseen categories, extremes.")
    ]
    largest_difference: Annotated[
        float, Field(ge=0, description="Of a probability, or of a value relative to its size.")
    ]
    n_other_classes: Annotated[
        int, Field(ge=0, description="Rows of another class although the two were not tied.")
    ]
    tolerance: Annotated[float, Field(gt=0, description="Difference up to which it is the same.")]


class Student(Record):
    """A small model that was tried, on rows that neither it nor its teacher had seen."""

    name: Annotated[str, Field(description="Family and size.")]
    score: Annotated[float, Field(description="Its quality there.")]
    fidelity: Annotated[
        float,
        Field(description="Agreement with the teacher there: share of classes, or R squared."),
    ]
    size_bytes: Annotated[int, Field(ge=1, description="Its file.")]


class MethodReport(Record):
    """One way to compress: what it made, what that costs and what it gains."""

    method: Annotated[Method, Field(description="The way.")]
    verdict: Annotated[
        Verdict,
        Field(
            description="kept: quality is within the tolerance, the whole interval; unclear: the "
            "estimate is, its interval is not; worse: not even the estimate; no gain: neither "
            "smaller nor faster; not possible: see summary."
        ),
    ]
    summary: Annotated[str, Field(description="The finding in plain words.")]
    made: Annotated[str, Field(description="What the compressed model is; empty if none.")] = ""
    size: Size | None = None
    latency: Latency | None = None
    quality: Difference | None = None
    equality: Equality | None = None
    students: tuple[Student, ...] = ()


class CompressionReport(Record):
    """What became of a version."""

    model: Annotated[str, Field(description="Name of the registered model.")]
    version: Annotated[int, Field(description="The version that was compressed.")]
    tolerance: Annotated[
        float, Field(gt=0, lt=1, description="Share of the gain over the baseline that may go.")
    ]
    metric: Annotated[str, Field(description="What quality is measured in.")]
    baseline: Annotated[float, Field(description="What no model at all reaches on these rows.")]
    methods: tuple[MethodReport, ...]
    winner: Annotated[
        Method | None, Field(description="The way whose model is registered; null if none is.")
    ] = None
    is_within_tolerance: Annotated[
        bool, Field(description="Whether the winner's verdict is kept, so that it may be aliased.")
    ] = False
    summary: Annotated[str, Field(description="The outcome in plain words.")]
