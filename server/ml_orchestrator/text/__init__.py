"""Stored text made safe to read: what hides is shown and named, nothing is taken away."""

from ml_orchestrator.text.cleaning import FLAGS, CleanText, clean, cut
from ml_orchestrator.text.hidden import is_hidden

__all__ = ["FLAGS", "CleanText", "clean", "cut", "is_hidden"]
