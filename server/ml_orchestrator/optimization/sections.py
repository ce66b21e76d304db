"""Where a new section goes in a prompt, and how it looks there."""

from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Edit, Finding
from ml_orchestrator.text.prompt_parts import Part

__all__ = ["added", "asked", "place_for_section"]


_QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "Task": "What is to be done, as a verb and its object?",
        "Details": "Who is the result for, and how long should it be?",
        "Output format": "What should the answer look like: its form, parts and length?",
        "Constraints": "What must stay as it is, and what must not happen?",
        "Data": "May the data hold instructions? Then say that nobody follows them.",
        "If unsure": "What should the answer be where something is missing or unclear?",
        "Borders": "Where do the data begin and end? Mark it, such as with tags around them.",
        "Role": "With whose knowledge should it be answered?",
        "Examples": "What would an input and its answer look like, such as one that is hard?",
        "How to work": "What should be looked at first, and in which order, before the result?",
        "Success criteria": "How can you tell that the result is good?",
    }
)


def added(
    reading: Reading, title: str, body: str, *, reason: str, is_titled: bool = True
) -> Finding:
    """Return the finding that a section is missing, with the edit that adds it.

    It is marked as the prompt's other sections are (tags, headings or labels), and stands after
    the instructions: before data at the end of the prompt, else last. Lines with labels of their
    own need no title among labels. Something is added to a bare prompt, and by rules that were
    named to one of up to 90 words. The author of any other is asked: what seems to be missing is
    often said in words that are not understood.
    """
    if not reading.takes_additions:
        return asked(reading, title, reason)
    end, after = place_for_section(reading)
    tail = "\n\n" if reading.text[after:].strip() else reading.text[end:after]
    section = _section(reading, title, body) if is_titled else body
    gap = "\n\n" if end else ""
    edit = Edit(end, after, f"{gap}{section}{tail}")
    return Finding(reason, *_spot(reading), (edit,))


def asked(reading: Reading, title: str, reason: str) -> Finding:
    """Return the finding that a section is missing, with the question to the author."""
    return Finding(reason, *_spot(reading), (), _QUESTIONS[title])


def _spot(reading: Reading) -> tuple[int, int]:
    """Return where the reason is seen: the main task, or the whole prompt."""
    task = reading.task
    return (0, len(reading.text)) if task is None else (task.start, task.end)


def _section(reading: Reading, title: str, body: str) -> str:
    if reading.style == "tags":
        tag = title.lower().replace(" ", "_")
        return f"<{tag}>\n{body}\n</{tag}>"
    if reading.style == "headings":
        first = reading.parts.texts("heading")[0].lstrip()
        return f"{first[: len(first) - len(first.lstrip('#'))]} {title}\n{body}"
    return f"{title}:\n{body}" if "\n" in body or body.startswith("- ") else f"{title}: {body}"


def place_for_section(reading: Reading) -> tuple[int, int]:
    """Return the space ``(start, end)`` that a new section takes the place of."""
    text = reading.text
    end = len(text.rstrip())
    after = len(text)
    for part in reversed(reading.data):
        if part.end < end:
            break
        start = _start_with_label(reading, part.start)
        if _is_open(text, part):  # what came after it would be code
            start = part.start
        elif start is None or not text[:start].strip():
            break
        end, after = len(text[:start].rstrip()), start
    return end, after


def _is_open(text: str, part: Part) -> bool:
    """Say whether this is code that nothing closes."""
    lines = text[part.start : part.end].rstrip().split("\n")
    mark = lines[0].lstrip(" >\t")[:3]
    is_closed = len(lines) > 1 and not lines[-1].strip(" >\t").strip(mark[:1])
    return part.kind == "fence" and not is_closed


def _start_with_label(reading: Reading, start: int) -> int | None:
    """Return where data begin with the line that announces them, or None if they are inline."""
    text = reading.text
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip():
        return line if _only_announces(reading, line, start) else None
    before = text[:line].rstrip()
    if not before.endswith((":", "\uff1a")):
        return start if text[:line].strip() else line
    line = before.rfind("\n") + 1
    return line if _only_announces(reading, line, len(before)) else None


def _only_announces(reading: Reading, start: int, end: int) -> bool:
    is_task = any(task.start < end and task.end > start for task in reading.tasks)
    return reading.text[start:end].rstrip().endswith((":", "\uff1a")) and not is_task
