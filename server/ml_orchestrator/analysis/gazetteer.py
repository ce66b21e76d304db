"""Names of technologies and people that were written down for this project, read on first use."""

from functools import cache
from pathlib import Path

from ml_orchestrator.text.phrases import Phrases

__all__ = [
    "exact_spellings",
    "given_names",
    "names_with_dots",
    "small_given_names",
    "technology_phrases",
]

_HERE = Path(__file__).parent
_MARK = "= exact"


@cache
def technology_phrases() -> Phrases:
    """Return all names of technologies, to be found whatever their case."""
    loose, exact = _technologies()
    return Phrases({"loose": loose, "exact": exact})


@cache
def exact_spellings() -> frozenset[str]:
    """Return names that are common words too: they count in this spelling alone."""
    return frozenset(_technologies()[1])


@cache
def names_with_dots() -> frozenset[str]:
    """Return names of technologies that look like a file, such as node.js."""
    return frozenset(name for name in _technologies()[0] if "." in name)


@cache
def given_names() -> frozenset[str]:
    """Return given names, with their capitals."""
    return frozenset(" ".join(_lines("given_names.txt")).split())


@cache
def small_given_names() -> frozenset[str]:
    """Return given names in small letters."""
    return frozenset(name.lower() for name in given_names())


def _technologies() -> tuple[list[str], list[str]]:
    lines = _lines("technologies.txt")
    border = lines.index(_MARK)
    return _names(lines[:border]), _names(lines[border + 1 :])


def _names(lines: list[str]) -> list[str]:
    return [name.strip() for line in lines for name in line.split(",")]


def _lines(name: str) -> list[str]:
    content = (_HERE / name).read_text(encoding="utf-8")
    return [line for line in content.splitlines() if not line.startswith("#")]
