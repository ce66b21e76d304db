"""A plug-in for the tests of pipelines: small typed steps that leave lines in a ledger."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.orchestration.steps import STEPS, Signature, Step, StepContext
from ml_orchestrator.orchestration.steps.models import CONTENT

PATIENCE_S = 60.0


class Line(BaseModel):
    """What a step is told; a gate is a file that it waits for."""

    model_config = ConfigDict(extra="forbid")

    ledger: str
    label: str
    value: int = 0
    gate: str | None = None
    fails: Annotated[int, Field(ge=0)] = 0
    refuses: bool = False
    file: Annotated[str | None, CONTENT] = None


class Given(BaseModel):
    """What a step gives."""

    label: str
    value: int


def note(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a line, wait at the gate, fail as often as told, and give the value plus one."""
    ledger, label = Path(params["ledger"]), params["label"]
    _write(ledger, {"step": label, "pid": os.getpid(), "is": "begun"})
    give_up_at = time.monotonic() + PATIENCE_S
    while params["gate"] and not Path(params["gate"]).exists():
        if time.monotonic() > give_up_at:
            raise InvalidInputError("The gate stayed shut.")
        context.report(0.5, "at the gate")
        time.sleep(0.02)
    if params["refuses"]:
        raise InvalidInputError(f"{label} cannot be done.")
    n_begun = sum(line["step"] == label and line["is"] == "begun" for line in lines_of(ledger))
    if n_begun <= params["fails"]:
        raise ConflictError(f"{label} failed, time {n_begun}.")
    _write(ledger, {"step": label, "pid": os.getpid(), "is": "done"})
    return {"label": label, "value": params["value"] + 1}


def lie(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Give something else than what is said."""
    return {"label": 3}


def lines_of(ledger: Path) -> list[dict[str, Any]]:
    """Return the lines of a ledger."""
    return (
        [json.loads(text) for text in ledger.read_text().splitlines()] if (ledger.exists()) else []
    )


def _write(ledger: Path, entry: Mapping[str, Any]) -> None:
    with ledger.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


_HERE = __name__
_TYPED = Signature("Write a line.", f"{_HERE}:Line", f"{_HERE}:Given")
STEPS.register("note")(Step(f"{_HERE}:note", signature=_TYPED, cpu=0))
STEPS.register("note-alone")(Step(f"{_HERE}:note", isolated=True, signature=_TYPED))
STEPS.register("note-pure")(
    Step(
        f"{_HERE}:note",
        signature=Signature("Write.", _TYPED.takes, _TYPED.gives, is_pure=True),
    )
)
STEPS.register("lie")(Step(f"{_HERE}:lie", signature=_TYPED))
