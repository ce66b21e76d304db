"""Steps that do nothing but note when: what `workflow.py` has our worker run, as a plug-in.

Each line of the ledger is one moment: run, step, ``begin`` or ``end``, ns since the epoch, process.
`_ledger.py` reads it.
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ml_orchestrator.orchestration.steps import STEPS, Step, StepContext
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Node, Workflow

__all__ = ["MANY", "NoParams"]

MANY = 20


class NoParams(BaseModel):
    """What the workflows here take: how long a step sleeps, in s."""

    sleep_s: float = 0.0


def note(context: StepContext, params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Note the beginning and the end of a step; between them it sleeps."""
    ledger = os.open(context.settings.home / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        _write(ledger, context.run_id, name, "begin")
        time.sleep(params["sleep_s"])
        _write(ledger, context.run_id, name, "end")
    finally:
        os.close(ledger)
    return {"n": 1}


def _write(ledger: int, run_id: str, step: str, what: str) -> None:
    noted = [run_id, step, what, time.time_ns(), os.getpid()]
    os.write(ledger, f"{json.dumps(noted)}\n".encode())


def _noting(name: str) -> Any:
    def step(
        context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        return note(context, params, name)

    return step


NAMES = [f"bench-{n}" for n in range(MANY)]
for _number, _name in enumerate(NAMES):
    globals()[f"step_{_number}"] = _noting(_name)
    STEPS.register(_name)(Step(f"{__name__}:step_{_number}"))
WORKFLOWS.register("bench-many")(
    Workflow("bench-many", "Steps that do nothing.", NoParams, tuple(map(Node, NAMES)))
)
WORKFLOWS.register("bench-one")(
    Workflow("bench-one", "One step that does nothing.", NoParams, (Node(NAMES[0]),))
)
WORKFLOWS.register("bench-three")(
    Workflow("bench-three", "Three steps.", NoParams, tuple(map(Node, NAMES[:3])))
)
