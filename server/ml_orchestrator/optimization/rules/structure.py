"""The rule that a long prompt has sections."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ml_orchestrator.optimization.own_words import own_prose
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.reading_patterns import COMPONENTS
from ml_orchestrator.optimization.rules.contract import Edit, Finding, rule

__all__ = ["LONG_WORDS", "structure"]

LONG_WORDS = 120  # a paragraph of this length is read better in sections
_MOST_MARKS = 1
_SUBJECTS = ("role", "output", "constraints", "success", "uncertainty", "examples")
_TAGS = {"output": "output_format", "success": "success_criteria", "uncertainty": "if_unsure"}


_TABLE_ROW = re.compile(r"^[ \t]*\|[^\n]*\|", re.MULTILINE)


@dataclass(slots=True)
class _Run:
    """Sentences in a row about one subject."""

    subject: str
    start: int
    end: int


@rule("structure", kind="mark", order=25)
def structure(reading: Reading) -> Finding | None:
    """Put what belongs together in a long paragraph between tags, without moving anything.

    Who wrote several paragraphs, a list or a table has given the prompt its sections.
    """
    marks = reading.parts.of("heading", "label", "list_item")
    if len(marks) > _MOST_MARKS or reading.style == "tags" or _TABLE_ROW.search(reading.prose):
        return None
    if reading.n_words_of_longest_paragraph < LONG_WORDS:
        return None
    runs = list(_runs(reading))
    if len({run.subject for run in runs}) < 2:
        return None
    return Finding(
        f"{reading.n_words_of_longest_paragraph} words of instructions stand in one paragraph.",
        runs[0].start,
        runs[-1].end,
        tuple(_tagged(reading.text, runs)),
    )


def _runs(reading: Reading) -> Iterator[_Run]:
    current: _Run | None = None
    end = len(own_prose(reading))
    tasks = sorted(task.at for task in reading.tasks)
    for part in reading.parts.of("sentence"):
        if part.end > end:
            break
        subject = _subject(reading, part.start, part.end, tasks)
        is_apart = current is None or reading.text[current.end : part.start].strip()
        if current is not None and not is_apart and subject in ("", current.subject):
            current.end = part.end
            continue
        if current is not None:
            yield current
        current = _Run(subject or "context", part.start, part.end)
    if current is not None:
        yield current


def _subject(reading: Reading, start: int, end: int, tasks: Sequence[int]) -> str:
    """Return what a sentence is about; an empty text if it goes on with what was before.

    ``tasks`` says where those of the prompt begin, in order: a long one has thousands.
    """
    sentence = reading.prose[start:end]
    for name in _SUBJECTS:
        if COMPONENTS[name][1].search(sentence):
            return name
    if (first := bisect_left(tasks, start)) < len(tasks) and tasks[first] < end:
        return "task"
    return "context" if COMPONENTS["context"][1].search(sentence) else ""


def _tagged(text: str, runs: list[_Run]) -> Iterator[Edit]:
    yield Edit(runs[0].start, runs[0].start, f"<{_tag(runs[0])}>\n")
    for left, right in pairwise(runs):
        closing, opening = f"\n</{_tag(left)}>\n\n", f"<{_tag(right)}>\n"
        if text[left.end : right.start].strip():
            yield Edit(left.end, left.end, closing.rstrip("\n"))
            yield Edit(right.start, right.start, opening)
        else:
            yield Edit(left.end, right.start, closing + opening)
    yield Edit(runs[-1].end, runs[-1].end, f"\n</{_tag(runs[-1])}>")


def _tag(run: _Run) -> str:
    return _TAGS.get(run.subject, run.subject)
