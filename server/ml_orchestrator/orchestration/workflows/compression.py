"""The workflow that makes a registered version smaller."""

from typing import Annotated, Any, Literal

from pydantic import Field

from ml_orchestrator.orchestration.compressing.models import CompressInputs
from ml_orchestrator.orchestration.workflows._base import WORKFLOWS, Node, Outputs, Workflow

__all__ = ["CompressParams"]


class CompressParams(CompressInputs):
    """Which version, how, what it may cost, and the alias of the new one."""

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
