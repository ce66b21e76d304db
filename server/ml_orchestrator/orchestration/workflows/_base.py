"""The catalogue of workflows: which steps run, in which order and on what.

Light on purpose: the server lists workflows and checks their parameters without loading the
code of any step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.orchestration.workflows.shipped import shipped_names

__all__ = ["WORKFLOWS", "Node", "Outputs", "Workflow", "validated"]

Outputs = Mapping[str, Mapping[str, Any]]
"""What the steps so far returned, by step name."""


def _nothing(_: Outputs) -> dict[str, Any]:
    return {}


def _go_on(_: Outputs) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Node:
    """One place in a workflow.

    ``inputs`` picks what the step needs from the outputs of earlier steps. ``stops`` looks at
    the outputs once the step is done and returns why the run ends here, or None to go on.
    Both must depend on their argument alone: a resumed run calls them again.
    """

    step: str
    inputs: Callable[[Outputs], dict[str, Any]] = _nothing
    stops: Callable[[Outputs], str | None] = _go_on


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps in order, and the model of their common parameters; a step occurs once.

    ``check`` names a function as ``module:function``. It is called with the settings and the
    parameters before a run is queued, and raises if the run could only fail; sentences that it
    returns are notices of the answer to who started it. ``queue`` is where
    its runs wait; ``stopped_by`` names the tool that stops one, where cancelling would leave
    something half done. ``version`` goes up when steps or inputs change so that a run planned
    before could not go on: such runs then stop and say so. One that ``is_internal`` is started by
    the system alone; ``right`` is the tool whose right it takes to start it by name.
    """

    name: str
    description: str
    params: type[BaseModel]
    nodes: tuple[Node, ...]
    check: str | None = None
    queue: Literal["runs", "rollouts", "monitors"] = "runs"
    stopped_by: str | None = None
    version: int = 1
    is_internal: bool = False
    right: str | None = None

    def node(self, step: str) -> Node:
        """Return the place of ``step``."""
        return next(node for node in self.nodes if node.step == step)


WORKFLOWS: Catalog[Workflow] = Catalog(
    "workflow",
    extended_by="workflows",
    must_have=("name", "params", "nodes", "queue"),
    taken=shipped_names,
)


def validated(workflow: Workflow, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``params`` checked and completed with defaults, as JSON values.

    Raises:
        InvalidInputError: the message lists every fault, and the fields that exist where one
            is unknown or missing.
    """
    try:
        model = workflow.params.model_validate(dict(params))
    except ValidationError as error:
        fields = workflow.params.model_fields
        faults = faults_of(error.errors(), whole="parameters", known=fields)
        is_about_names = any(f["type"] in ("extra_forbidden", "missing") for f in error.errors())
        known = f" Its parameters are: {', '.join(fields)}." if is_about_names else ""
        raise InvalidInputError(
            f"Workflow {workflow.name!r} cannot start: {faults}.{known}"
        ) from error
    return model.model_dump(mode="json")
