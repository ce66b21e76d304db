"""A plug-in for the tests of several workers: short steps in threads that note when they are at it.

No run of them has a file of its own but where it is asked to.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.steps import STEPS, Step, StepContext
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Node, Workflow
from ml_orchestrator.training.models import TrainingSpec

SECONDS = 0.05
PATIENCE_S = 60.0


class SharedParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ledger: str
    gate: str = ""  # a file that is waited for, without a look at whether the run was cancelled
    waits: str = "one"  # the step that does


def _note(params: Mapping[str, Any], context: StepContext, what: str, step: str) -> None:
    entry = {"run": context.run_id, "step": step, "what": what, "pid": os.getpid()}
    line = json.dumps({**entry, "home": str(context.settings.home), "at": time.monotonic()})
    with Path(params["ledger"]).open("a", encoding="utf-8") as ledger:
        ledger.write(line + "\n")


def _at_it(step: str, context: StepContext, params: Mapping[str, Any]) -> dict[str, Any]:
    _note(params, context, "begun", step)
    give_up_at = time.monotonic() + PATIENCE_S
    is_waiting = params["gate"] and params["waits"] == step
    while is_waiting and not Path(params["gate"]).exists():
        if time.monotonic() > give_up_at:
            raise UnavailableError("The gate stayed shut.")
        time.sleep(0.02)
    time.sleep(SECONDS)
    _note(params, context, "ended", step)
    return {step: context.run_id}


def one(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    return _at_it("one", context, params)


def two(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    return _at_it("two", context, params)


STEPS.register("tiny-one")(Step(f"{__name__}:one"))
STEPS.register("tiny-two")(Step(f"{__name__}:two"))
STEPS.register("tiny-two-apart")(Step(f"{__name__}:two", isolated=True))
WORKFLOWS.register("tiny-shared")(
    Workflow(
        name="tiny-shared",
        description="Two short steps.",
        params=SharedParams,
        nodes=(Node("tiny-one"), Node("tiny-two")),
    )
)
WORKFLOWS.register("tiny-apart")(
    Workflow(
        name="tiny-apart",
        description="Two short steps, the second in a process of its own.",
        params=SharedParams,
        nodes=(Node("tiny-one"), Node("tiny-two-apart")),
    )
)
WORKFLOWS.register("tiny-search")(
    Workflow(
        name="tiny-search",
        description="A search for a model, which is not registered.",
        params=TrainingSpec,
        nodes=(Node("search"),),
    )
)
