"""Stored text made safe to read: what hides is shown and named, nothing is taken away."""

from ml_orchestrator.text.cleaning import FLAGS, CleanText, clean, cut, flags_of_stored
from ml_orchestrator.text.hidden import is_hidden, unspelled
from ml_orchestrator.text.nesting import MAX_LEVELS, is_too_deep, json_bytes

__all__ = [
    "FLAGS",
    "MAX_LEVELS",
    "CleanText",
    "clean",
    "cut",
    "flags_of_stored",
    "is_hidden",
    "is_too_deep",
    "json_bytes",
    "unspelled",
]
