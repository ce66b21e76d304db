"""Unicode's normal forms in time that grows with the length of the text alone."""

import unicodedata
from typing import Literal

__all__ = ["normalized"]

_MOST_AT_ONCE = 500  # characters; what sorts the marks on a letter takes quadratic time


def normalized(form: Literal["NFKC", "NFKD"], text: str) -> str:
    """Return ``text`` in a normal form; a word of more than 500 characters is taken in pieces.

    Marks that stand apart from their letter for that are not joined with it.

    >>> normalized("NFKC", "e\u0301 \uff21")
    'é A'
    """
    if len(text) <= _MOST_AT_ONCE:
        return unicodedata.normalize(form, text)
    return " ".join([_by_pieces(form, word) for word in text.split(" ")])


def _by_pieces(form: Literal["NFKC", "NFKD"], word: str) -> str:
    starts = range(0, len(word), _MOST_AT_ONCE)
    return "".join([unicodedata.normalize(form, word[at : at + _MOST_AT_ONCE]) for at in starts])
