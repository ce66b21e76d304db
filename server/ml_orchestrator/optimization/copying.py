"""Whether a text repeats its training examples word for word instead of saying what to do."""

import re
from collections.abc import Iterable

__all__ = ["N_WORDS", "copied_passage", "estimated_tokens"]

N_WORDS = 5  # as many words in a row are a copy; fewer are ordinary language
_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")


def copied_passage(text: str, sources: Iterable[str], *, allowed: str = "") -> str | None:
    """Return the longest run of words that ``text`` shares with a source, or None.

    Args:
        text: What was written.
        sources: What must not be repeated, such as training examples.
        allowed: What may be, such as the prompt that ``text`` came from.

    Returns:
        Its words in lower case, ``N_WORDS`` or more.

    >>> copied_passage("Say: the cat sat on the mat!", ["The cat sat on the mat."])
    'the cat sat on the mat'
    """
    words = _words(text)
    known = _runs(_words(allowed))
    seen: set[tuple[str, ...]] = set()
    for source in sources:
        seen |= _runs(_words(source))
    longest: list[str] = []
    start = 0
    while start + N_WORDS <= len(words):
        end = start
        while end + N_WORDS <= len(words):
            run = tuple(words[end : end + N_WORDS])
            if run not in seen or run in known:
                break
            end += 1
        if end > start and end - start + N_WORDS - 1 > len(longest):
            longest = words[start : end + N_WORDS - 1]
        start = max(end, start + 1)
    return " ".join(longest) or None


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text costs: words by six letters, every mark one.

    No tokenizer is asked, since each model has its own: compare such numbers with each other.

    >>> estimated_tokens("Summarise it, please.")
    6
    """
    return sum(1 for _ in _TOKEN.finditer(text))


def _words(text: str) -> list[str]:
    return [match.group().lower() for match in _WORD.finditer(text)]


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + N_WORDS]) for i in range(len(words) - N_WORDS + 1)}
