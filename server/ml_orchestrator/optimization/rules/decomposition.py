"""The rule that many jobs in one sentence become a list."""

import re
from bisect import bisect_right

from ml_orchestrator.optimization.own_words import own_prose
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Edit, Finding, rule
from ml_orchestrator.optimization.tasks import OTHER, VERBS

__all__ = ["decomposition"]

_LEAST_STEPS = 3
_FIRST = (
    "read|take|look at|open|load|go through|use|study|check|watch|gather|collect|remove|add|"
    + "|".join(verb for verb, kind in VERBS.items() if kind != OTHER)
)
_STARTS = re.compile(rf"(?:first,? |then,? |now,? )?({_FIRST})\b", re.IGNORECASE)
_JOINT = re.compile(
    rf"(?<!\s)[,;]?\s++(?:and\s++then|then|and\s++finally|finally|and)\s++(?=(?:{_FIRST})\b)|[,;]\s++(?=(?:{_FIRST})\b)",
    re.IGNORECASE,
)


@rule("decomposition", kind="order", order=30, conflicts=("step_by_step",))
def decomposition(reading: Reading) -> Finding | None:
    """Turn three or more jobs chained in one sentence into a numbered list, in their words."""
    if reading.shows("steps"):  # a chain of jobs is itself like steps
        return None
    end = len(own_prose(reading))
    items = reading.parts.of("list_item")
    begins = [item.start for item in items]
    for part in reading.parts.of("sentence"):
        if part.end > end:
            break
        before = bisect_right(begins, part.start)
        is_listed = before > 0 and part.start < items[before - 1].end
        if not is_listed and (steps := _steps(reading, part.start, part.end)):
            return Finding(
                f"One sentence holds {len(steps)} jobs; numbered, none is skipped.",
                part.start,
                part.end,
                (Edit(part.start, part.end, _numbered(steps)),),
            )
    return None


def _steps(reading: Reading, start: int, end: int) -> list[str]:
    """Return the jobs of a sentence, or nothing if they are fewer than three."""
    prose = reading.prose[start:end]
    if not _STARTS.match(prose) or prose.endswith("?") or ":" in prose:
        return []
    cuts = [match.span() for match in _JOINT.finditer(prose)]
    if len(cuts) + 1 < _LEAST_STEPS or ("then" not in prose and len(cuts) < _LEAST_STEPS):
        return []
    begins, ends = [0, *(stop for _, stop in cuts)], [*(begin for begin, _ in cuts), len(prose)]
    return [
        reading.text[start + begin : start + stop].strip(" .")
        for begin, stop in zip(begins, ends, strict=True)
    ]


def _numbered(steps: list[str]) -> str:
    lines = (f"{n}. {step[0].upper()}{step[1:]}." for n, step in enumerate(steps, 1))
    return "\n".join(("Work in this order:", *lines))
