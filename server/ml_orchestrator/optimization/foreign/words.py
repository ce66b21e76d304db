"""How the words of a language stand here: patterns in small letters, a short list of our own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FORMS", "ForeignWords", "any_of", "each_of"]


@dataclass(frozen=True, slots=True)
class ForeignWords:
    """Patterns of one language.

    Attributes:
        name: of the language.
        tasks: kind of task to the verbs that ask for it, the more certain kinds first.
        parts: component to how it is said.
        vague: words that leave open what is meant.
        opposites: two wishes that exclude each other.
        refers: speaks of something that should stand in the prompt.
    """

    name: str
    tasks: Mapping[str, re.Pattern[str]]
    parts: Mapping[str, re.Pattern[str]]
    vague: re.Pattern[str]
    opposites: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]
    refers: re.Pattern[str]


def any_of(*patterns: str) -> re.Pattern[str]:
    """Return a pattern of whole words that any of the patterns matches."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)")


def each_of(patterns: Mapping[str, tuple[str, ...]]) -> Mapping[str, re.Pattern[str]]:
    """Return a pattern of whole words under each name."""
    return MappingProxyType({name: any_of(*some) for name, some in patterns.items()})


FORMS = (
    "json", "csv", "tsv", "yaml", "xml", "html", "markdown", "latex", "sql", "ascii", "emoji",
)  # fmt: skip
