"""What is missing in prompts in German, French and Spanish: asked of the author, never written in.

The rules write English, so a prompt in another language stays as it is. The clear gaps are found by
the words beside this module all the same, rule by rule, as questions.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ml_orchestrator.optimization.foreign.french import FRENCH
from ml_orchestrator.optimization.foreign.german import GERMAN
from ml_orchestrator.optimization.foreign.spanish import SPANISH
from ml_orchestrator.optimization.foreign.words import ForeignWords
from ml_orchestrator.optimization.needs import kind_needs
from ml_orchestrator.optimization.reading import Reading

__all__ = ["Gap", "foreign_gap"]

_MOST_OPEN_WORDS = 40  # after "the following text" without a text: then nothing of it is there
FOREIGN: Mapping[str, ForeignWords] = MappingProxyType({"de": GERMAN, "fr": FRENCH, "es": SPANISH})
_FEW_WORDS = 40  # in more, a role, a reader or a length that is not there was not wanted
_LAST_WORDS = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Gap:
    """Something a prompt lacks, where it shows, and what to ask its author."""

    reason: str
    question: str
    start: int
    end: int


def foreign_gap(rule: str, reading: Reading) -> Gap | None:
    """Return what a rule would ask of a prompt in German, French or Spanish; None if nothing.

    In one of more than 40 words no role, reader or length is missed. Of a long prompt, one with 90
    words and more, only its form, vague words and what does not go together are asked about.
    """
    words = FOREIGN.get(reading.language)
    find = _FINDERS.get(rule)
    return find(reading, words) if words and find else None


def _kind(reading: Reading, words: ForeignWords) -> str:
    """Return the kind of task that is asked for first, or an empty text."""
    places = {
        kind: match.start()
        for kind, pattern in words.tasks.items()
        if (match := pattern.search(reading.prose))
    }
    return min(places, key=lambda kind: places[kind], default="")


def _lacks(component: str, reason: str, question: str) -> Callable[..., Gap | None]:
    """Return a finder of a component that the kind of task needs and no word tells of."""

    def find(reading: Reading, words: ForeignWords) -> Gap | None:
        kind = _kind(reading, words)
        if not kind_needs(kind, component) or words.parts[component].search(reading.prose):
            return None
        if reading.is_long and component != "output":
            return None
        if component == "role" and reading.n_words > _FEW_WORDS:
            return None
        return Gap(reason, question, 0, len(reading.text))

    return find


def _task(reading: Reading, words: ForeignWords) -> Gap | None:
    if reading.is_long or _kind(reading, words) or "?" in reading.prose:
        return None
    return Gap(
        "No word that asks for something was found.",
        "What should be done with this, as a verb and its object?",
        0,
        len(reading.text),
    )


def _vague(reading: Reading, words: ForeignWords) -> Gap | None:
    if match := words.vague.search(reading.prose):
        said = reading.text[match.start() : match.end()]
        return Gap(
            f"{said!r} leaves open what is meant.", f"What exactly is meant by {said!r}?",
            *match.span(),
        )  # fmt: skip
    for one, other in words.opposites:
        first, second = one.search(reading.prose), other.search(reading.prose)
        if first and second:
            said, against = (reading.text[m.start() : m.end()] for m in (first, second))
            return Gap(
                f"{said!r} and {against!r} do not go together.",
                f"Which counts, {said!r} or {against!r}?",
                min(first.start(), second.start()),
                max(first.end(), second.end()),
            )
    return None


def _specifics(reading: Reading, words: ForeignWords) -> Gap | None:
    """Find a text that is spoken of and not there, or a text to write for nobody of no length."""
    match = words.refers.search(reading.prose)
    if match and not _has_data(reading, match.end()):
        said = reading.text[match.start() : match.end()]
        return Gap(
            f"{said!r} is spoken of, and nothing of the kind is there.",
            f"Where is {said!r}? Put it in, or a placeholder for it.",
            *match.span(),
        )
    is_short = reading.n_words <= _FEW_WORDS
    is_written = is_short and _kind(reading, words) in {"write", "explain"}
    if is_written and not any(
        words.parts[part].search(reading.prose) for part in ("length", "audience")
    ):
        return Gap(
            "Nothing is said about who reads it or how long it is.",
            "Who reads it, and how long should it be?",
            0,
            len(reading.text),
        )
    return None


def _has_data(reading: Reading, at: int) -> bool:
    """Say whether data, a placeholder, code or a quote is there, or a paragraph after ``at``."""
    if reading.data or reading.parts.of("placeholder", "fence", "quote", "element", "url"):
        return True
    _, _, rest = reading.text[at:].partition("\n")
    return len(_LAST_WORDS.findall(rest)) >= _MOST_OPEN_WORDS


_FINDERS: Mapping[str, Callable[[Reading, ForeignWords], Gap | None]] = MappingProxyType(
    {
        "task": _task,
        "clarity": _vague,
        "specificity": _specifics,
        "role": _lacks(
            "role", "The answer depends on expertise, and nothing says whose.",
            "With whose knowledge should it be answered?",
        ),
        "output_contract": _lacks(
            "output", "Nothing says what the answer should look like.",
            "What should the answer look like: its form, order and length?",
        ),
        "constraints": _lacks(
            "constraints", "Nothing says what must be kept or left out.",
            "What must the answer keep to, and what must it not do?",
        ),
        "uncertainty": _lacks(
            "uncertainty", "Nothing says what to do when the answer is not there.",
            "What should be done where the answer is missing or unclear?",
        ),
    }
)  # fmt: skip
