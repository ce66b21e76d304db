"""Whether a prompt is written in English, as the analysis guesses its language."""

from ml_orchestrator.text.languages import guess_language
from ml_orchestrator.text.phrases import words_of

__all__ = ["is_english", "language_of"]


def is_english(prose: str) -> bool:
    """Say whether ``prose`` is in English; what cannot be told, and a mix of scripts, is not.

    >>> [is_english(text) for text in ("Sum up the text.", "Fasse den Text zusammen.", "总结文章")]
    [True, False, False]
    """
    return language_of(prose) == "en"


def language_of(prose: str) -> str:
    """Return the language of ``prose``, of ISO 639-1; ``und`` if it cannot be told or is mixed."""
    language = guess_language(prose, words_of(prose))
    return "und" if language.is_mixed else language.code
