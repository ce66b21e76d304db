"""The L0 score: how far a prompt meets a written rubric. It says nothing about answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ml_orchestrator.optimization.models import Criterion, RubricScore
from ml_orchestrator.optimization.needs import SPECIFICS, is_needed, missing_specifics
from ml_orchestrator.optimization.question_model import is_worth_asking
from ml_orchestrator.optimization.reading import FILL, Reading, read_prompt
from ml_orchestrator.optimization.reading_patterns import bare_placeholders
from ml_orchestrator.optimization.rules.brevity import paddings
from ml_orchestrator.optimization.rules.clarity import vague_places
from ml_orchestrator.optimization.rules.structure import LONG_WORDS

__all__ = ["score_prompt"]

_FILLED_WEIGHT = 1.5
_MOST_OPEN = 4  # marks for the author; with more the prompt is a form, not a prompt


@dataclass(frozen=True, slots=True)
class _Line:
    """A criterion: its weight, when it applies, and how far it is met with what was seen."""

    weight: float
    applies: Callable[[Reading], bool]
    measure: Callable[[Reading], tuple[float, str]]


def score_prompt(prompt: str | Reading) -> RubricScore:
    """Return the rubric's score of a prompt: the weighted mean of the criteria that apply.

    The same prompt always gets the same score. Each criterion scores 0 to 1. Lines with marks that
    wait for the author (``[FILL IN: …]``) count for nothing, and are a criterion that lowers the
    score until they are filled. The patterns know English only: the score of another prompt means
    nothing.

    >>> score_prompt("Sum up {text}.").score < score_prompt(
    ...     "Summarise the report in <text> in 3 sentences for managers. Use only what it says. "
    ...     "Return only the summary.\\n\\n<text>\\n{text}\\n</text>"
    ... ).score
    True
    """
    reading = read_prompt(prompt) if isinstance(prompt, str) else prompt
    criteria = tuple(_measured(_without_blanks(reading), reading.open_fills))
    total = sum(line.weight for line in criteria)
    score = sum(line.weight * line.score for line in criteria) / total
    return RubricScore(score=round(score, 4), criteria=criteria)


def _without_blanks(reading: Reading) -> Reading:
    """Return the prompt without the lines that its author still has to fill."""
    if not reading.open_fills:
        return reading
    kept = (line for line in reading.text.split("\n") if not FILL.search(line))
    return read_prompt("\n".join(kept))


def _measured(reading: Reading, open_fills: Sequence[str]) -> Iterator[Criterion]:
    for name, line in _CRITERIA.items():
        if line.applies(reading):
            score, why = line.measure(reading)
            yield Criterion(name=name, weight=line.weight, score=round(score, 4), why=why)
    if open_fills:
        score = max(0.0, 1 - len(open_fills) / _MOST_OPEN)
        why = f"{len(open_fills)} marks wait for the author."
        yield Criterion(name="filled", weight=_FILLED_WEIGHT, score=round(score, 4), why=why)


def _always(_: Reading) -> bool:
    return True


def _task(reading: Reading) -> tuple[float, str]:
    task = reading.task
    if task is None:
        return 0.0, "No instruction or question was found."
    return (
        (1.0, f"Asks to {task.verb.lower()}.") if task.verb else (0.5, "Asked between the lines.")
    )


def _component(name: str, weight: float, rule: str) -> _Line:
    def applies(reading: Reading) -> bool:
        return is_needed(reading, name) and (reading.has(name) or _is_missed(reading, rule))

    def measure(reading: Reading) -> tuple[float, str]:
        return (1.0, "It is there.") if reading.has(name) else (0.0, "It is missing.")

    return _Line(weight, applies, measure)


def _is_missed(reading: Reading, rule: str) -> bool:
    """Say whether what is not seen is missed, as the rule for it does."""
    return reading.is_bare or is_worth_asking(reading, rule)


def _specifics(reading: Reading) -> tuple[float, str]:
    wanted, missing = SPECIFICS[reading.kind], missing_specifics(reading)
    why = f"Missing: {', '.join(missing)}." if missing else "All that decides the result is said."
    return 1 - len(missing) / len(wanted), why


def _clear(reading: Reading) -> tuple[float, str]:
    n_vague = len(vague_places(reading))
    return max(0.0, 1 - n_vague / 4), f"{n_vague} vague words."


def _concise(reading: Reading) -> tuple[float, str]:
    n_padding = len(paddings(reading))
    return max(0.0, 1 - n_padding / 4), f"{n_padding} times padding."


def _sections(reading: Reading) -> tuple[float, str]:
    n_marks = len(reading.parts.of("heading", "label", "list_item")) + len(reading.names)
    return min(1.0, n_marks / 3), f"{n_marks} headings, labels, tags or list items."


def _has_long_paragraph(reading: Reading) -> bool:
    return reading.n_words_of_longest_paragraph >= LONG_WORDS


def _data(reading: Reading) -> tuple[float, str]:
    n_open = len(bare_placeholders(reading.parts))
    share = 1 - n_open / len(reading.data)
    return share, f"{n_open} of {len(reading.data)} pieces of data are not marked off."


_CRITERIA: dict[str, _Line] = {
    "task": _Line(3, _always, _task),
    "specifics": _Line(2, lambda reading: reading.kind in SPECIFICS, _specifics),
    "output": _component("output", 2, "output_contract"),
    "constraints": _component("constraints", 1.5, "constraints"),
    "success": _component("success", 1, "success_criteria"),
    "examples": _component("examples", 1.5, "examples"),
    "steps": _component("steps", 1, "step_by_step"),
    "uncertainty": _component("uncertainty", 1, "uncertainty"),
    "role": _component("role", 0.5, "role"),
    "clarity": _Line(1.5, _always, _clear),
    "concision": _Line(0.5, _always, _concise),
    "structure": _Line(1, _has_long_paragraph, _sections),
    "data": _Line(1.5, lambda reading: bool(reading.data), _data),
}
