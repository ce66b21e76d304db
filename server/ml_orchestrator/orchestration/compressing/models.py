"""What a compression takes and gives, in a workflow or a pipeline. Light: read by the server."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ml_orchestrator.compression.models import Method, Verdict
from ml_orchestrator.records import Record
from ml_orchestrator.registry.names import check_model

__all__ = ["CompressInputs", "CompressOutput", "Prefer"]

Prefer = Literal["size", "latency"]


def _once(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    if len(set(methods)) != len(methods):
        raise ValueError("each method once")
    return methods


class CompressInputs(Record):
    """Which version, how, and what it may cost."""

    model: Annotated[
        str, AfterValidator(check_model), Field(description="Name of the registered model.")
    ]
    version: Annotated[int | str, Field(description="Number or alias of the version to compress.")]
    methods: Annotated[
        tuple[Method, ...],
        AfterValidator(_once),
        Field(min_length=1, description="In this order; onnx and quantise need the extra onnx."),
    ] = ("distil", "prune")
    tolerance: Annotated[
        float,
        Field(gt=0, lt=1, description="Share of the gain over the baseline that may be lost."),
    ] = 0.05
    prefer: Annotated[Prefer, Field(description="What decides between good ones.")] = "size"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1, description="Of new rows and resamples.")] = 0


class CompressOutput(Record):
    """The winner, if there is one, and what was found of it."""

    trained: Annotated[
        str | None, Field(description="Where it lies; register_version takes it. Null: none.")
    ]
    made_from: Annotated[str, Field(description="The version, as NAME/NUMBER.")]
    winner: Method | None
    verdict: Verdict | None
    is_within_tolerance: bool
    kept: Annotated[
        float | None, Field(description="Share of the gain over the baseline that is left.")
    ]
    times_smaller: float | None
    times_faster: Annotated[float | None, Field(description="For one row.")]
    summary: str
