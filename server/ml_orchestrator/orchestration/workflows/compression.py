"""The workflow that makes a registered version smaller."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ml_orchestrator.compression.models import Method
from ml_orchestrator.orchestration.workflows._base import WORKFLOWS, Node, Outputs, Workflow
from ml_orchestrator.registry.names import check_model

__all__ = ["CompressParams"]


def _once(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    if len(set(methods)) != len(methods):
        raise ValueError("each method once")
    return methods


class CompressParams(BaseModel):
    """Which version, how, and what it may cost."""

    model_config = ConfigDict(extra="forbid")

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
    prefer: Annotated[
        Literal["size", "latency"], Field(description="What decides between good ones.")
    ] = "size"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1, description="Of new rows and resamples.")] = 0
    alias: Annotated[
        Literal["challenger"] | None,
        Field(description="Set on the new version if it keeps the quality; null sets none."),
    ] = "challenger"


def _tags(outputs: Outputs) -> dict[str, Any]:
    report = outputs["compress"]["compression"]
    return {
        "tags": {
            "ml_orchestrator.compressed_from": f"{report['model']}/{report['version']}",
            "ml_orchestrator.compressed_by": report["winner"],
        }
    }


def _version(outputs: Outputs) -> dict[str, Any]:
    report = outputs["compress"]["compression"]
    return {
        "version": outputs["register"]["version"],
        "reason": f"Version {report['version']} compressed by {report['winner']}.",
    }


def _no_winner(outputs: Outputs) -> str | None:
    report = outputs["compress"]["compression"]
    return None if report["winner"] else f"No version was registered. {report['summary']}"


def _not_within(outputs: Outputs) -> str | None:
    report, version = outputs["compress"]["compression"], outputs["register"]["version"]
    if report["is_within_tolerance"]:
        return None
    return f"Version {version} was registered without an alias. {report['summary']}"


WORKFLOWS.register("compress")(
    Workflow(
        name="compress",
        description="Make a version smaller or faster, judge it on its held-out rows, register it.",
        params=CompressParams,
        nodes=(
            Node("compress", stops=_no_winner),
            Node("register", _tags, stops=_not_within),
            Node("promote", _version),
        ),
        check="ml_orchestrator.orchestration.compressing.checks:check_compression",
    )
)
