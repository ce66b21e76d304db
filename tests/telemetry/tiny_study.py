"""A plug-in and a program: a step with a process of its own that runs a small search.

As a program it starts that workflow through the service and waits for it, with telemetry on.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
from pydantic import BaseModel

from ml_orchestrator.orchestration.steps import STEPS, Step, StepContext
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Node, Workflow

LIMIT_S = 60.0


class Nothing(BaseModel):
    """No parameters."""


def search(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    from ml_orchestrator.training._optuna import run_study
    from ml_orchestrator.training.space import Params, ParamSpace
    from ml_orchestrator.training.study import Objective, StudyPlan

    def suggest(space: ParamSpace) -> Params:
        return {"x": space.real("x", 0, 1)}

    def square(point: Params) -> Iterator[float]:
        yield float(point["x"]) ** 2

    plan = StudyPlan(context.folder / "study", "tiny", False, n_trials=2, timeout_s=60, seed=0)
    result = run_study(plan, Objective(suggest, square), on_progress=lambda _: None)
    return {"n_trials": len(result.trials)}


STEPS.register("tiny-study")(Step(f"{__name__}:search", isolated=True))
WORKFLOWS.register("tiny-study")(
    Workflow(
        name="tiny-study",
        description="A search of two trials.",
        params=Nothing,
        nodes=(Node("tiny-study"),),
    )
)


async def start_and_wait() -> None:
    from ml_orchestrator.app import build_services
    from ml_orchestrator.settings import Settings

    workflow = build_services(Settings.read()).workflow
    run = await workflow.start("tiny-study", {}, actor="tester")
    ended = await workflow.status(run.run_id, wait_s=LIMIT_S)
    assert ended.state == "succeeded", ended


def main() -> None:
    from ml_orchestrator.telemetry.process import exporting

    with exporting("server", os.environ):
        anyio.run(start_and_wait)
