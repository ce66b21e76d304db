"""What the model of questions sees in a prompt: how likely each part is there, and its form."""

from collections.abc import Iterator, Mapping
from math import log

from ml_orchestrator.optimization.needs import is_needed, missing_specifics
from ml_orchestrator.optimization.part_model import PARTS, strict_probabilities
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.reading_patterns import COMPONENTS

__all__ = ["prompt_terms"]

_FARTHEST = 6.0  # log odds; beyond, a sentence is or is not the part
_LONG = 6.0  # the logarithm of the words of a long prompt
_NEEDED = ("role", "output", "examples", "steps", "constraints", "success", "uncertainty")
_MARKS = ("placeholder", "heading", "label", "list_item", "element", "fence", "quote")


def prompt_terms(reading: Reading) -> dict[str, float]:
    """Return the terms of a prompt, each from -1 to about 1; what is 0 may be left out.

    ``part P`` is the likeliest sentence beside the main task, ``task P`` the main task itself,
    ``all P`` how many sentences are P, ``says P`` and ``named P`` what patterns see, ``has P``,
    ``need P`` and ``lack P`` what the rules go by.
    """
    main = "" if reading.task is None else reading.prose[reading.task.start : reading.task.end]
    said = [reading.prose[part.start : part.end] for part in reading.parts.of("sentence")]
    rest = [strict_probabilities(each) for each in said if each != main]
    return {
        **dict(_of_parts(rest, strict_probabilities(main) if main else None)),
        **dict(_of_patterns(reading)),
        **dict(_of_form(reading, len(said))),
    }


def _of_parts(
    rest: list[Mapping[str, float]], main: Mapping[str, float] | None
) -> Iterator[tuple[str, float]]:
    for part in PARTS:
        yield f"part {part}", _log_odds(max((each[part] for each in rest), default=0.0))
        yield f"task {part}", 0.0 if main is None else _log_odds(main[part])
        yield f"all {part}", log(1 + sum(each[part] for each in rest))


def _log_odds(chance: float) -> float:
    """Return log odds from -1 to 1."""
    if chance <= 0:
        return -1.0
    if chance >= 1:
        return 1.0
    return max(-1.0, min(1.0, log(chance / (1 - chance)) / _FARTHEST))


def _of_patterns(reading: Reading) -> Iterator[tuple[str, float]]:
    for part, (named, _) in COMPONENTS.items():
        is_named = any(named.search(name) for name in reading.names)
        yield f"named {part}", float(is_named)
        yield f"says {part}", float(reading.shows(part))
        yield f"has {part}", float(reading.has(part))
    for part in _NEEDED:
        yield f"need {part}", float(is_needed(reading, part))
    missing = missing_specifics(reading)
    yield "lack", float(len(missing))
    for each in missing:
        yield f"lack {each}", 1.0


def _of_form(reading: Reading, n_sentences: int) -> Iterator[tuple[str, float]]:
    yield f"kind {reading.kind}", 1.0
    yield "words", log(1 + reading.n_words) / _LONG
    yield "sentences", log(1 + n_sentences) / _LONG
    yield "paragraphs", log(1 + reading.text.count("\n\n")) / _LONG
    yield "tasks", log(1 + len(reading.tasks))
    yield "data", float(bool(reading.data))
    yield "asks", float(reading.asks)
    for mark in _MARKS:
        yield f"with {mark}", float(bool(reading.parts.of(mark)))
