"""Write a confirmed rule set where prompts are read from."""

import json
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.optimization.search.models import OptimisationReport
from ml_orchestrator.orchestration.prompt_versions import prompt_versions
from ml_orchestrator.orchestration.steps._base import StepContext

__all__ = ["register_rules"]


def register_rules(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the recommended rule set to MLflow's prompt registry, if that was asked for.

    Without a name, or where nothing is confirmed, nothing is written.
    """
    report = OptimisationReport.model_validate(inputs["report"])
    name = params.get("register_as")
    if name is None:
        return {"registered": None}
    if report.recommended is None:
        return {"registered": None, "why_not": "No rule set is confirmed; nothing was written."}
    held = next(m.held_out for m in report.front if m.plan == report.recommended)
    with prompt_versions(context.settings) as prompts:
        registered = prompts.put(
            name,
            json.dumps(report.recommended.model_dump(), indent=1),
            key=context.run_id,
            alias=params.get("alias"),
            tags={
                "ml_orchestrator.kind": "rules",
                "level": report.level,
                "gain": f"{held.gain:.4f}",
                "interval": f"{held.low:.4f} to {held.high:.4f}",
                "n": str(held.n),
                "actor": context.actor,
            },
            message=report.summary[:500],
        )
    return {"registered": registered.model_dump()}
