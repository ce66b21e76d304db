"""The result of a run in lines that a person reads, and how a failed one goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.program import program
from ml_orchestrator.text import cut

__all__ = ["one_line", "result_lines", "way_on"]

MOST_ROWS, MOST_ITEMS, MOST_COLUMNS = 20, 20, 8
CELL, LINE = 32, 300


def result_lines(value: Mapping[str, Any], indent: str = "") -> list[str]:
    """Return a record's fields, records in it further in, lists of records as tables.

    What is null or empty is left out; of long lists the first twenty are shown, and how many
    there are.

    >>> print(*result_lines({"model": "m", "best": {"score": 0.5}, "n": [1, 2]}), sep="\\n")
    model  m
    best
      score  0.5
    n      1, 2
    """
    shown = {
        name: each for name, each in value.items() if each is not None and each not in ({}, [])
    }
    wide = max((len(name) for name, each in shown.items() if _is_flat(each)), default=0)
    lines: list[str] = []
    for name, each in shown.items():
        if _is_flat(each):
            lines.append(f"{indent}{name:<{wide}}  {_line(each)}")
        else:
            lines += [f"{indent}{name}", *_inside(each, f"{indent}  ")]
    return lines


def one_line(value: Mapping[str, Any]) -> str:
    """Return a record's fields in one line, which is cut if it is long.

    >>> one_line({"source": "builtin:iris", "columns": ["a", "b"], "is_new": True})
    'source builtin:iris, columns a, b, is_new yes'
    """
    return _short(_cell(dict(value)), LINE)


def _is_flat(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) for item in value)
    return not isinstance(value, dict)


def _line(value: Any) -> str:
    if isinstance(value, list):
        more = f" and {len(value) - MOST_ITEMS} more" if len(value) > MOST_ITEMS else ""
        return ", ".join(map(_cell, value[:MOST_ITEMS])) + more
    return _short(_cell(value), LINE)


def _inside(value: Any, indent: str) -> list[str]:
    if isinstance(value, dict):
        return result_lines(value, indent)
    rows, more = value[:MOST_ROWS], len(value) - MOST_ROWS
    if all(isinstance(row, dict) for row in rows):
        lines = _table(rows, indent)
    else:
        lines = [f"{indent}{_short(_cell(row), LINE)}" for row in rows]
    return lines + ([f"{indent}and {more} more"] if more > 0 else [])


def _table(rows: Sequence[Mapping[str, Any]], indent: str) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = names[:MOST_COLUMNS]
    cells = [head, *([_short(_cell(row.get(name)), CELL) for name in head] for row in rows)]
    wide = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [
        indent + "  ".join(f"{cell:<{w}}" for cell, w in zip(line, wide, strict=True)).rstrip()
        for line in cells
    ]
    left = names[MOST_COLUMNS:]
    return lines + ([f"{indent}(also {', '.join(left)}: --json)"] if left else [])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return str(value)


def _short(text: str, most: int) -> str:
    return cut(" ".join(text.split()), most)


def way_on(status: RunStatus) -> str:
    """Return how a failed run goes on, unless it already has; empty for others."""
    if status.state != "failed" or status.resumed_as:
        return ""
    resume = f"{program()} runs resume {status.run_id}"
    return f"From the failed step on, once its cause is gone: {resume}"
