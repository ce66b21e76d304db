"""The steps that a pipeline may use: those of the catalogue that say what they take and give."""

import functools
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field

from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.steps._base import Signature
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.records import Record

__all__ = ["ApprovalGiven", "Question", "given_by", "signature_of", "taken_by", "usable_steps"]


class Question(Record):
    """What a person is asked."""

    question: Annotated[str, Field(min_length=1, max_length=1_000)]
    evidence: Annotated[Any, Field(description="Shown with the question, as data.")] = None


class ApprovalGiven(Record):
    """Who approved."""

    approval_id: str
    approved_by: str | None


def usable_steps() -> list[str]:
    """Return the names of steps with a signature, sorted."""
    return [name for name, step in STEPS.items() if step.signature is not None]


def signature_of(name: str) -> Signature:
    """Return what a step takes and gives."""
    signature = STEPS[name].signature
    assert signature is not None, f"{name} has no signature"
    return signature


def taken_by(name: str) -> type[BaseModel]:
    """Return the record of a step's inputs."""
    return Question if name == APPROVAL else _model(signature_of(name).takes)


def given_by(name: str) -> type[BaseModel]:
    """Return the record of a step's output."""
    return ApprovalGiven if name == APPROVAL else _model(signature_of(name).gives)


@functools.cache
def _model(target: str) -> type[BaseModel]:
    return cast("type[BaseModel]", resolve(target))
