"""Prompts read offline: what they name, what they are about, what they lack, which rules fit."""

from ml_orchestrator.analysis.analyse import FEATURE_NAMES, MAX_CHARACTERS, analyse
from ml_orchestrator.analysis.context import CONTEXT_NAMES
from ml_orchestrator.analysis.domain import DOMAINS
from ml_orchestrator.analysis.models import (
    Domain,
    Entity,
    EntityKind,
    Fit,
    PromptAnalysis,
    PromptLanguage,
)

__all__ = [
    "CONTEXT_NAMES",
    "DOMAINS",
    "FEATURE_NAMES",
    "MAX_CHARACTERS",
    "Domain",
    "Entity",
    "EntityKind",
    "Fit",
    "PromptAnalysis",
    "PromptLanguage",
    "analyse",
]
