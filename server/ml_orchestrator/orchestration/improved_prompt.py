"""A prompt made better beside its analysis, as a record that leaves through a tool."""

from typing import Annotated

from pydantic import Field

from ml_orchestrator.analysis.models import PromptAnalysis
from ml_orchestrator.optimization.models import Improvement

__all__ = ["ImprovedPrompt"]


class ImprovedPrompt(Improvement):
    """A prompt after rules, and what the given one names, is about and lacks."""

    analysis: Annotated[
        PromptAnalysis, Field(description="Of the given prompt; features that are 0 are left out.")
    ]
