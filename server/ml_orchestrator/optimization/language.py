"""Whether a prompt is written in English, as the analysis guesses its language."""

from ml_orchestrator.text.languages import guess_language
from ml_orchestrator.text.phrases import tokens_of

__all__ = ["is_english"]


def is_english(prose: str) -> bool:
    """Say whether ``prose`` is in English; what cannot be told, and a mix of scripts, is not.

    >>> [is_english(text) for text in ("Sum up the text.", "Fasse den Text zusammen.", "总结文章")]
    [True, False, False]
    """
    language = guess_language(prose, (word for word, _, _ in tokens_of(prose)))
    return language.code == "en" and not language.is_mixed
