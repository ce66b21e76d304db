"""Words and phrases found in a text in one pass, through a trie of words.

Time grows with the length of the text alone: no phrase has more than a handful of words, and
every word is looked at once for each place a phrase could begin before it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Hit", "Phrases", "Token", "in_small_letters", "tokens_of", "words_of"]

_TOKEN = re.compile(r"[^\W_]+(?:\+\+|#(?!\w))?")
_ASCII_TOKEN = re.compile(r"[a-z0-9]+(?:\+\+|#(?!\w))?")  # the same in small ASCII, sooner
_MAX_GAP = 3


# A word in small letters, its start and its end; plain tuples, for there are thousands.
Token: TypeAlias = tuple[str, int, int]


class Hit(NamedTuple):
    """A phrase found: its label, its name, its place, and its first and last token's numbers."""

    label: str
    name: str
    start: int
    end: int
    first: int
    last: int


def tokens_of(text: str) -> list[Token]:
    """Return the words and numbers of a text in order; signs count in C++, C# and F# alone.

    >>> [word for word, start, end in tokens_of("C++ or scikit-learn, don't")]
    ['c++', 'or', 'scikit', 'learn', 'don', 't']
    """
    small = in_small_letters(text)
    tokens, find, end = [], small.find, 0
    for word in _token_in(small).findall(small):
        start = find(word, end)  # no letter or digit stands between two words
        end = start + len(word)
        tokens.append((word, start, end))
    return tokens


def words_of(text: str) -> Iterator[str]:
    """Yield the words of ``tokens_of``, each when it is asked for: who needs a few reads no more.

    >>> next(words_of("C++ or scikit-learn"))
    'c++'
    """
    small = in_small_letters(text)
    return (match[0] for match in _token_in(small).finditer(small))


def in_small_letters(text: str) -> str:
    """Return a text in small letters; a letter that would grow stays, for places to be the same."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(letter if len(letter.lower()) > 1 else letter.lower() for letter in text)


def _token_in(small: str) -> re.Pattern[str]:
    return _ASCII_TOKEN if small.isascii() else _TOKEN


class Phrases:
    """Phrases under labels. The longest phrase wins where several begin; hits do not overlap."""

    def __init__(self, phrases: Mapping[str, Iterable[str]]) -> None:
        self._root: dict[str, Any] = {}
        for label, names in phrases.items():
            for name in names:
                self._add(label, name)

    def _add(self, label: str, name: str) -> None:
        words = [word for word, _, _ in tokens_of(name)]
        if not words:
            raise ValueError(f"The phrase {name!r} of {label!r} has no word in it.")
        node = self._root
        for word in words:
            node = node.setdefault(word, {})
        node.setdefault("", []).append((label, name))

    def find(self, text: str, tokens: Sequence[Token]) -> list[Hit]:
        """Return what occurs in ``text``, whose words are ``tokens``, in order of place.

        A phrase under several labels gives one hit for each. Between its words stands one sign
        or white space, never an empty line.
        """
        hits: list[Hit] = []
        root, free = self._root, 0
        words = [word for word, _, _ in tokens]
        for at in [at for at, word in enumerate(words) if word in root]:
            node = root[words[at]]
            if at < free or (
                "" not in node and (at + 1 == len(words) or words[at + 1] not in node)
            ):
                continue
            start = tokens[at][1]
            found, last = self._longest(text, tokens, at)
            end = tokens[last][2]
            hits += [Hit(label, name, start, end, at, last) for label, name in found]
            free = last + 1
        return hits

    def _longest(
        self, text: str, tokens: Sequence[Token], at: int
    ) -> tuple[Sequence[tuple[str, str]], int]:
        word, _, end = tokens[at]
        node = self._root[word]
        found, last = node.get("", ()), at
        for number in range(at + 1, len(tokens)):
            word, start, next_end = tokens[number]
            node = node.get(word)
            if node is None or not _is_near(text[end:start]):
                break
            end = next_end
            if "" in node:
                found, last = node[""], number
        return found, last


def _is_near(gap: str) -> bool:
    """Return whether what stands between two words lets them be one phrase."""
    return len(gap) <= 1 or (len(gap) <= _MAX_GAP and gap.isspace() and gap.count("\n") < 2)
