"""A prompt with rules that were chosen for it, as a record that leaves through a tool."""

from typing import Annotated

from pydantic import Field

from ml_orchestrator.learning.models import Decision
from ml_orchestrator.optimization.models import Improvement
from ml_orchestrator.records import Record

__all__ = ["Selection"]


class Selection(Record):
    """A decision and the prompt it led to."""

    decision: Annotated[
        Decision | None, Field(description="Its id is for prompt_feedback; null: no rule fits.")
    ]
    improvement: Improvement
