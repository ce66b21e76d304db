"""How texts in many languages look that try to command, imitate or claim something.

The lines stand by subject in the modules next to this one, for text in small letters and matched
across line ends. Before each pattern stand parts of words of which one must occur, because to look
for them is a hundred times faster: one that begins with two Latin letters where a run of such
letters begins, any other anywhere. A match begins with a part, or, after ``*``, has one inside.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias
from unicodedata import normalize

from ml_orchestrator.text.acting_patterns import ACTING
from ml_orchestrator.text.approval_patterns import APPROVALS
from ml_orchestrator.text.foreign_order_patterns import FOREIGN_ORDERS
from ml_orchestrator.text.frame_patterns import SYSTEM_MESSAGES, TOOL_CALLS
from ml_orchestrator.text.order_patterns import ORDERS

__all__ = ["COMPACT", "PATTERNS", "Pattern", "parts_in"]


@dataclass(frozen=True, eq=False)
class Pattern:
    """How a text looks, its flag, and parts of which one occurs in every such text."""

    flag: str
    parts: tuple[str, ...]
    source: str
    begins_with_a_part: bool

    @cached_property
    def look(self) -> re.Pattern[str]:
        """Compiled when it is first needed: all of them take a tenth of a second at the start."""
        return re.compile(self.source, re.DOTALL)

    def is_in(self, text: str, part: str) -> bool:
        """Return whether ``text``, in small letters, looks like this where ``part`` stands."""
        if not self.begins_with_a_part:
            return self.look.search(text) is not None
        at = text.find(part)
        while at >= 0 and not self.look.match(text, at):
            at = text.find(part, at + 1)
        return at >= 0


def _pattern(flag: str, parts: str, look: str) -> Pattern:
    seen = normalize("NFKC", parts)  # as the text is; it takes some Thai vowels apart
    whole = tuple(seen.removeprefix("*").split("|"))
    return Pattern(flag, whole, normalize("NFKC", look), parts[0] != "*")


PATTERNS = tuple(
    _pattern(flag, parts, look)
    for flag, lines in (
        ("like_an_instruction", (*ORDERS, *FOREIGN_ORDERS, *ACTING)),
        ("like_a_system_message", SYSTEM_MESSAGES),
        ("like_a_tool_call", TOOL_CALLS),
        ("like_an_approval", APPROVALS),
    )
    for parts, look in lines
)

# For text whose word breaks are gone: letters alone, in small.
COMPACT = re.compile(
    "(ignore|disregard|forget|override|obey|follow)(all|any|every|each|the|your|my|these|those|of|"
    "no|only)*(previous|prior|above|earlier|former|preceding|existing)*"
    "(instruction|rule|guideline|prompt|directive|safeguard)"
)

_WORDS = re.compile("[a-z]{2,}")


_Part: TypeAlias = tuple[str, str, list[Pattern]]  # its first word, itself, who has it


def _by_beginning() -> dict[str, list[_Part]]:
    """Return parts by the beginning of a word, or the sign, that a text with them must have."""
    all_having: dict[str, list[Pattern]] = {}
    for pattern in PATTERNS:
        for part in dict.fromkeys(pattern.parts):
            all_having.setdefault(part, []).append(pattern)
    found: dict[str, list[_Part]] = {}
    for part, having in sorted(all_having.items(), key=lambda item: item[0]):
        word = _WORDS.match(part)
        key, begun = (word[0][:3], word[0]) if word else (part[0], "")
        found.setdefault(key, []).append((begun, part, having))
    return found


_BY_BEGINNING = _by_beginning()


def parts_in(text: str) -> list[tuple[str, list[Pattern]]]:
    """Return the parts that occur in ``text``, in small letters, each with its patterns."""
    found = {}
    for word in set(_WORDS.findall(text)):
        for begun, part, having in _BY_BEGINNING.get(word[:3], ()):
            if word.startswith(begun) and part in text:
                found[part] = having
    for sign in _BY_BEGINNING.keys() & set(text):
        for _, part, having in _BY_BEGINNING[sign]:
            if part in text:
                found[part] = having
    return list(found.items())
