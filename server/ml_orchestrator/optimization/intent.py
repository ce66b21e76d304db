"""What a new wording of a prompt must keep of the old one."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from ml_orchestrator.text.pasted import pasted_in
from ml_orchestrator.text.prompt_parts import KEPT_KINDS, split_prompt

__all__ = ["SPARE_WORDS", "losses"]

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nor|neither|without|cannot|avoid|except|unless|only|must)\b|n['’]t\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# Words that say nothing about what is wanted; rules may take them out.
SPARE_WORDS = frozenset(
    "please kindly could would can you will like want need just really very quite basically actually simply "
    "maybe perhaps possibly somehow kind sort of a an the i to me my we us be is are am it that if for in so "
    "try trying able possible wondering was were hoping hope thanks thank advance much help etc and on or "
    "order due fact purpose point time at this given make sure event with regard regards respect regarding "
    "number large majority following below now then also by as well own do does your ensure utilize utilise "
    "have ability whether not only but there here appreciate great grateful glad love ask asking have had hello hi "
    "feel free go ahead take moment some stuff things thing soon bit little what ever ideally prior "
    "absolutely definitely literally about think which".split()
) - {"not", "only"}


def losses(before: str, after: str) -> tuple[str, ...]:
    """Return what ``after`` lacks of ``before``, each with its kind; empty when intent is kept.

    Kept are code, quotes, placeholders, addresses and tags to the character, numbers, words that
    deny or limit, and every other word except ``SPARE_WORDS``; each as often as it was there. Of
    text that may have been pasted, every line is kept, spare words or not.

    >>> losses("Please give 3 tips, no more.", "Give 3 tips.")
    ("word 'more'", "negation 'no'")
    """
    had, has = _counted(before), _counted(after)
    return tuple(
        f"{kind} {text!r}" for kind in _TAKERS for text in (had[kind] - has[kind])
    ) + tuple(f"pasted line {line!r}" for line in _pasted_lines(before) if line not in after)


@lru_cache(maxsize=16)  # what one rule made is what the next one begins with
def _counted(text: str) -> Mapping[str, Counter[str]]:
    """Return how often each thing that is kept stands in a text, by kind."""
    return {kind: Counter(take(text)) for kind, take in _TAKERS.items()}


def _words(text: str) -> Mapping[str, int]:
    words = Counter(_WORD.findall(text.lower()))
    return {
        word: n
        for word, n in words.items()
        if word not in SPARE_WORDS and not _NEGATION.fullmatch(word)
    }


def _pasted_lines(text: str) -> Iterable[str]:
    """Return the lines that may have been pasted; those with placeholders are compared apart."""
    pasted = pasted_in(text)
    if pasted is None:
        return ()
    places = split_prompt(text).of("placeholder")
    end = min((part.start for part in places if part.start >= pasted.start), default=pasted.end)
    return dict.fromkeys(map(str.strip, text[pasted.start : end].split("\n")))


def _kept(text: str) -> Iterable[str]:
    return split_prompt(text).texts(*KEPT_KINDS)


def _negations(text: str) -> Iterable[str]:
    return (word.lower().replace("’", "'") for word in _NEGATION.findall(text))


_TAKERS: Mapping[str, Callable[[str], Iterable[str] | Mapping[str, int]]] = MappingProxyType(
    {"part": _kept, "number": _NUMBER.findall, "word": _words, "negation": _negations}
)
