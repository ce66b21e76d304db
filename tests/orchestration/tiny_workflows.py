"""A plug-in for the tests: small steps that leave a line in a ledger when they begin and end.

The worker and its children import it by name, as they would a third party's.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.schedules import SCHEDULED, Due
from ml_orchestrator.orchestration.schedules.sweeping import ScheduleContext
from ml_orchestrator.orchestration.steps import STEPS, Step, StepContext
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Node, Workflow

PATIENCE_S = 60.0


class TinyParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ledger: str
    gate: str | None = None
    number: int = Field(default=1, ge=0)


def _note(params: Mapping[str, Any], **entry: Any) -> None:
    line = json.dumps({"pid": os.getpid(), "parent": os.getppid(), **entry}) + "\n"
    with Path(params["ledger"]).open("a", encoding="utf-8") as ledger:
        ledger.write(line)


def double(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    _note(params, step="double", run_id=context.run_id)
    return {"doubled": params["number"] * 2}


def wait_at_gate(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Report and wait until the gate file exists; a grandchild waits along."""
    grandchild = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({PATIENCE_S})"])
    _note(params, step="gate", grandchild=grandchild.pid, secrets=_secrets())
    give_up_at = time.monotonic() + PATIENCE_S
    while params["gate"] and not Path(params["gate"]).exists():
        if time.monotonic() > give_up_at:
            raise InvalidInputError("The gate stayed shut.")
        context.report(0.5, "at the gate", {"doubled": inputs["doubled"]})
        time.sleep(0.02)
    grandchild.kill()
    grandchild.wait()
    return {"passed": inputs["doubled"] + 1}


def _secrets() -> list[str]:
    return [name for name in os.environ if "TOKEN" in name or "API_KEY" in name]


def finish(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    _note(params, step="finish")
    return {"answer": inputs["passed"]}


def refuse(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    raise InvalidInputError(f"Number {params['number']} cannot be used. Give another.")


def wait_for_mending(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Fail as long as the gate file is not there."""
    _note(params, step="mending", run_id=context.run_id)
    if not Path(params["gate"]).exists():
        raise InvalidInputError("Not mended yet.")
    return {"passed": inputs["doubled"] + 1}


def wait_long(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Wait until the gate file exists, as a step that mostly waits."""
    _note(params, step="waiting")
    give_up_at = time.monotonic() + PATIENCE_S
    while not Path(params["gate"]).exists():
        if time.monotonic() > give_up_at:
            raise InvalidInputError("The gate stayed shut.")
        time.sleep(0.02)
    return {"passed": inputs["doubled"] + 1}


def break_down(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    raise RuntimeError("the private detail")


def die(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def die_once(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    mark = context.folder / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"went_on": True}


def start_when_due(context: ScheduleContext, due: Due) -> None:
    """Start a run that ends after its first step; the schedule's key is the ledger."""
    context.start(due, "tiny-stops", {"ledger": due.key, "number": 0})


_HERE = __name__
SCHEDULED.register("tiny")(f"{_HERE}:start_when_due")
STEPS.register("tiny-double")(Step(f"{_HERE}:double"))
STEPS.register("tiny-gate")(Step(f"{_HERE}:wait_at_gate", isolated=True))
STEPS.register("tiny-finish")(Step(f"{_HERE}:finish"))
STEPS.register("tiny-refuse")(Step(f"{_HERE}:refuse", isolated=True))
STEPS.register("tiny-mending")(Step(f"{_HERE}:wait_for_mending", isolated=True))
STEPS.register("tiny-die")(Step(f"{_HERE}:die", isolated=True))
STEPS.register("tiny-die-once")(Step(f"{_HERE}:die_once", isolated=True, restarts=1))
STEPS.register("tiny-waiting")(Step(f"{_HERE}:wait_long", waits=True))
STEPS.register("tiny-break")(Step(f"{_HERE}:break_down"))

WORKFLOWS.register("tiny")(
    Workflow(
        name="tiny",
        description="Double a number, wait at a gate, add one.",
        params=TinyParams,
        nodes=(
            Node("tiny-double"),
            Node("tiny-gate", lambda outputs: {"doubled": outputs["tiny-double"]["doubled"]}),
            Node("tiny-finish", lambda outputs: {"passed": outputs["tiny-gate"]["passed"]}),
        ),
    )
)
WORKFLOWS.register("tiny-waits")(
    Workflow(
        name="tiny-waits",
        description="Double a number, wait for long, add one.",
        params=TinyParams,
        nodes=(
            Node("tiny-double"),
            Node("tiny-waiting", lambda outputs: {"doubled": outputs["tiny-double"]["doubled"]}),
            Node("tiny-finish", lambda outputs: {"passed": outputs["tiny-waiting"]["passed"]}),
        ),
    )
)
WORKFLOWS.register("tiny-stops")(
    Workflow(
        name="tiny-stops",
        description="Stop after the first step when the number is nothing.",
        params=TinyParams,
        nodes=(
            Node(
                "tiny-double",
                stops=lambda outputs: (
                    None if outputs["tiny-double"]["doubled"] else "Nothing to do."
                ),
            ),
            Node("tiny-refuse"),
        ),
    )
)
WORKFLOWS.register("tiny-breaks")(
    Workflow(
        name="tiny-breaks",
        description="Fail without a reason that may be shown.",
        params=TinyParams,
        nodes=(Node("tiny-break"), Node("tiny-finish")),
    )
)
WORKFLOWS.register("tiny-mended")(
    Workflow(
        name="tiny-mended",
        description="Fail until somebody has mended what is wrong.",
        params=TinyParams,
        nodes=(
            Node("tiny-double"),
            Node("tiny-mending", lambda outputs: {"doubled": outputs["tiny-double"]["doubled"]}),
            Node("tiny-finish", lambda outputs: {"passed": outputs["tiny-mending"]["passed"]}),
        ),
    )
)
