"""Texts as counts: of words, of kinds of characters, of languages."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml_orchestrator.text.languages import guess_language
from ml_orchestrator.text.words import plain_words

__all__ = ["Counted", "Texts", "counted", "read_texts", "reads_as_text"]

MOST_CHARACTERS = 10_000  # of a text that are looked at
MIN_DISTINCT = 50
MIN_DISTINCT_SHARE = 0.5
FEW_WORDS = 3  # on average, below which text is names or codes
N_LOOKED_AT = 1_000
_SMALL = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Counted:
    """What each text has of each cell: shape ``(n_texts, n_cells)``, and the cells' names."""

    counts: csr_array
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of both samples, the reference first, read once.

    ``n_words`` has shape ``(n_texts,)``.
    """

    n_reference: int
    n_words: NDArray[np.float64]
    words: Counted
    characters: Counted
    languages: Counted


def reads_as_text(values: Sequence[object]) -> bool:
    """Return whether the values of a column are free text, and no categories, names or codes.

    So they are with more than 50 distinct ones, more than half of them distinct, and three words
    or more on average; the words are counted in the first 1,000.
    """
    if len(values) <= MIN_DISTINCT:
        return False
    head = [value for value in values[:N_LOOKED_AT] if isinstance(value, str)]
    n_words = sum(len(_SMALL.findall(text[:MOST_CHARACTERS])) for text in head)
    if not head or n_words < FEW_WORDS * len(head):
        return False
    return len(set(values)) > max(MIN_DISTINCT, MIN_DISTINCT_SHARE * len(values))


def read_texts(reference: Sequence[str], current: Sequence[str]) -> Texts:
    """Count what both samples have; of a text its first 10,000 characters."""
    texts = [text[:MOST_CHARACTERS] for text in (*reference, *current)]
    words = [plain_words(text) for text in texts]
    return Texts(
        len(reference),
        np.array([len(found) for found in words], dtype=np.float64),
        counted([Counter(found) for found in words]),
        counted([_kinds(text) for text in texts]),
        counted([Counter([_language(text)]) for text in texts]),
    )


def counted(rows: Sequence[Counter[str]]) -> Counted:
    """Return counts as a table; its columns are in the order of their names."""
    names = sorted({name for row in rows for name in row})
    place = {name: i for i, name in enumerate(names)}
    starts = np.cumsum([0, *(len(row) for row in rows)])
    columns = np.fromiter(_flat([place[n] for n in row] for row in rows), np.int64, starts[-1])
    values = np.fromiter(_flat(list(row.values()) for row in rows), np.float64, starts[-1])
    return Counted(
        csr_array((values, columns, starts), shape=(len(rows), len(names))), tuple(names)
    )


def _flat(parts: Iterable[Sequence[int]]) -> Iterable[int]:
    return (value for part in parts for value in part)


def _kinds(text: str) -> Counter[str]:
    """Count kinds of characters: letters by script and case, digits, marks, spaces."""
    kinds: Counter[str] = Counter()
    for character, n in Counter(text).items():
        kinds[_kind(character)] += n
    return kinds


@lru_cache(maxsize=65_536)
def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "L":
        script = unicodedata.name(character, "other").split()[0].lower()
        return f"{script} capitals" if category == "Lu" else f"{script} letters"
    kinds = {"N": "digits", "P": "punctuation", "S": "symbols", "Z": "spaces", "C": "control"}
    return kinds.get(category[0], "accents")


def _language(text: str) -> str:
    return guess_language(text, _SMALL.findall(text[:4_000].lower())).code
