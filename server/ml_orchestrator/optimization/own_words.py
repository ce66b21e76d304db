"""Which words of a prompt are the author's wishes, and not data or words that are spoken of."""

import re

from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.text.pasted import pasted_in

__all__ = ["begins_sentence", "is_mentioned", "is_name", "own_prose"]

_SPOKEN_OF = re.compile(
    r"\b(?:words?|phrases?|terms?|expressions?|say|says|said|saying|called|spell|define)[\s:]+"
    r"(?:[^.:;\n]{0,40}?(?:,|\band|\bor)\s+)?\Z"
    r"|\b(?:named|tags?|labels?|variables?|tokens?|strings?|replace|rename|with|by|from|versus|vs\.?)[\s:]+\Z"
    r"|\b(?:between|words? like|such as)\s+(?:[^\s.:;,]+ ?){0,2}(?:(?:,|\band|\bor)\s+)?\Z"
)
_IS_I = re.compile(r"I\b")
_BEFORE_SENTENCE = re.compile(r"(?:\A|[.!?:;\n>*#_(-])[\s\"'*_#>-]*\Z")
_IS_SUBJECT = re.compile(r"\s*(?:not|is|isn't|are|was|means?)\b")
_WINDOW = 64


def own_prose(reading: Reading) -> str:
    """Return the instructions up to where pasted text may begin.

    Places in it are places in the prompt. Rules that change words change none after it.
    """
    pasted = pasted_in(reading.text)
    return reading.prose if pasted is None else reading.prose[: pasted.start]


def is_name(reading: Reading, start: int) -> bool:
    """Say whether words begin with a capital inside of a sentence, as titles and names do.

    "I" has one anywhere.
    """
    text = reading.text
    is_capital = text[start : start + 1].isupper() and not _IS_I.match(text, start)
    return is_capital and not begins_sentence(text, start)


def begins_sentence(text: str, start: int) -> bool:
    """Say whether a sentence, a line or a list item begins here.

    >>> [begins_sentence("Sort it. Then, please, stop.", at) for at in (0, 9, 15)]
    [True, True, False]
    """
    return _BEFORE_SENTENCE.search(text[max(0, start - _WINDOW) : start]) is not None


def is_mentioned(prose: str, start: int, end: int) -> bool:
    """Say whether words are spoken of, or what follows makes them more than padding.

    >>> prose = "explain the phrase at this point in time"
    >>> is_mentioned(prose, prose.index("at"), len(prose))
    True
    """
    before = prose[max(0, start - _WINDOW) : start]
    return (
        _SPOKEN_OF.search(before) is not None or _IS_SUBJECT.match(prose, end, end + 12) is not None
    )
