"""Drift of texts: read once, compared in every aspect."""

from ml_orchestrator.health.drift.texts.aspects import Embed
from ml_orchestrator.health.drift.texts.compare import compare_texts
from ml_orchestrator.health.drift.texts.reading import reads_as_text

__all__ = ["Embed", "compare_texts", "reads_as_text"]
