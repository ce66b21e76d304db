"""Search rule sets and confirm what is found."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.optimization.search.plot import front_plot
from ml_orchestrator.optimization.search.run import optimise
from ml_orchestrator.orchestration.rule_searches import evidence_for, read_spec
from ml_orchestrator.orchestration.steps._base import STOP_FILE, StepContext

__all__ = ["optimize_rules"]


def optimize_rules(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Search, or go on with the search that the run's folder holds; draw its front."""
    spec = read_spec(context.settings, params)
    found = optimise(
        spec,
        evidence_for(context.settings, spec),
        context.folder / "rules",
        tell=context.report,
        is_stopped=(context.folder / STOP_FILE).exists,
    )
    plots = context.folder / "plots"
    plots.mkdir(exist_ok=True)
    (plots / "front.png").write_bytes(front_plot(found.report, found.tried))
    return {"report": found.report.model_dump(mode="json")}
