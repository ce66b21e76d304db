"""The workflow that searches rule sets for prompts."""

from typing import Annotated, Any

from pydantic import Field

from ml_orchestrator.optimization.search.models import SearchSpec
from ml_orchestrator.orchestration.workflows._base import WORKFLOWS, Node, Outputs, Workflow

__all__ = ["OptimizeRulesParams"]


class OptimizeRulesParams(SearchSpec):
    """What to search on, and whether to write what is confirmed to MLflow's prompt registry."""

    prompts_source: Annotated[
        str | None, Field(description="File with a column prompt, instead of prompts.")
    ] = None
    scores_source: Annotated[
        str | None, Field(description="File of prompt, rules and score, instead of scores.")
    ] = None
    register_as: Annotated[str | None, Field(description="Name of the prompt in MLflow.")] = None
    alias: Annotated[str | None, Field(description="Points to the new version.")] = None


def _report(outputs: Outputs) -> dict[str, Any]:
    return {"report": outputs["optimize_rules"]["report"]}


WORKFLOWS.register("optimize-rules")(
    Workflow(
        name="optimize-rules",
        description="Search rule sets for prompts and confirm what is found on held-out ones.",
        params=OptimizeRulesParams,
        nodes=(Node("optimize_rules"), Node("register_rules", _report)),
        check="ml_orchestrator.orchestration.rule_searches:check_rule_search",
        right="rules_optimize",
    )
)
