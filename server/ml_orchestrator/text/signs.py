"""The signs of a text that change what it says, where words and numbers are the same.

``a != b`` is not ``a == b``, ``C++`` not ``C`` and ``1e-5`` not ``1e+5``; but a full stop, a
quotation mark or the hyphen of ``gradient-boosted`` changes nothing.
"""

import re
import unicodedata
from collections.abc import Callable

__all__ = ["telling_signs"]

_OPENING = "\"'`“‘„«([{"
_CLOSING = "\"'`”’»)]}.,;:!…。，、；：！"
_DASHES = {"–", "—"}
_WORD = re.compile(r"[^\W_]+")
# Between letters: of don't, max_depth and gradient-boosted, but not of a-b or 1e-5.
_WITHIN = re.compile(
    r"(?<=[^\W\d_])['’_](?=[^\W\d_])|(?<=\w)_(?=\w)|(?<=[^\W\d_]{2})-(?=[^\W\d_]{2})"
)


def telling_signs(text: str, known: re.Pattern[str], n_words: Callable[[str], int]) -> str:
    """Return each telling sign with its place, as text; empty without any.

    Args:
        text: What is said.
        known: Signs that are counted as words already.
        n_words: Returns how many words that count a piece of text has.

    >>> telling_signs("Gradient-boosted trees, \\"as ever\\".", re.compile("<"), lambda _: 1)
    ''
    >>> telling_signs("rows where a != b", re.compile("<"), lambda _: 1)
    '3!='
    """
    pieces = unicodedata.normalize("NFC", text).split()
    found, n_before, last = [], 0, 0
    for number, piece in enumerate(pieces):
        form = "" if piece.isalnum() else _form(known.sub("", piece))
        if form and form != "w":
            n_before += sum(map(n_words, pieces[last:number]))
            last = number
            found.append(f"{n_before}{form}")
    return " ".join(found)


def _form(piece: str) -> str:
    """Return a piece with ``w`` for its words; signs around and within them that say nothing go."""
    core = piece.lstrip(_OPENING).rstrip(_CLOSING)
    return "" if core in _DASHES else _WORD.sub("w", _WITHIN.sub("", core))
