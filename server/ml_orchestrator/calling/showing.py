"""What a terminal shows of tools and of their answers."""

import json
import textwrap
from collections.abc import Iterable
from typing import Any

import yaml

from ml_orchestrator.calling.schemas import Schema, fields, kinds, limits, records
from ml_orchestrator.calling.values import AGENT
from ml_orchestrator.deploying_text import plain
from ml_orchestrator.tools._schema import UNREAD
from ml_orchestrator.tools.in_process import ToolCard

__all__ = ["list_text", "manual_text", "outline"]

WIDTH = 100
SHORTENED_BELOW = 1e6  # what is larger may be a time
_KINDS = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "JSON list",
    "object": "JSON record",
}


class _Outline(yaml.SafeDumper):
    """Writes lists of plain values in a line, texts of several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    is_flat = not any(isinstance(item, list | dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=is_flat)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _number(dumper: yaml.SafeDumper, number: float) -> yaml.Node:
    is_short = abs(number) < SHORTENED_BELOW
    return dumper.represent_float(float(f"{number:.6g}") if is_short else number)


_Outline.add_representer(list, _list)
_Outline.add_representer(float, _number)
_Outline.add_representer(str, _text)


def outline(answer: dict[str, Any]) -> str:
    """Return a record as a person reads it: YAML without what is null, empty or waits for nobody.

    A record in which nothing else is keeps its empty lists. Fractions have six digits. Characters
    that could move a terminal's cursor are shown as question marks.

    >>> print(outline({"name": "iris", "error": None, "moves": [], "versions": [1, 2]}))
    name: iris
    versions: [1, 2]
    """
    unread = answer.get(UNREAD) or {}
    if not unread.get("n_unread"):
        answer = {name: value for name, value in answer.items() if name != UNREAD}
    shown = _without_empty(answer) or answer
    text = yaml.dump(shown, Dumper=_Outline, sort_keys=False, allow_unicode=True, width=WIDTH)
    return plain(text.removesuffix("\n").split("\n"))


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_empty(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (None, [], {})}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


def list_text(tools: Iterable[ToolCard]) -> str:
    """Return one line for each tool: what it does and whether it changes something."""
    found = list(tools)
    wide = max(len(card.name) for card in found)
    return plain([f"{card.name:<{wide}}  {_effect(card):<8}  {_summary(card)}" for card in found])


def _effect(card: ToolCard) -> str:
    return "reads" if card.reads_only else "changes" if card.destroys else "adds"


def _summary(card: ToolCard) -> str:
    return card.manual.split(". ")[0].removesuffix(".") + "."


def manual_text(card: ToolCard) -> str:
    """Return what a tool does, and its arguments with what they take."""
    needed = [f"{name}=..." for name in card.schema.get("required", []) if name != "agent"]
    lines = [
        f"usage: ml-orchestrator call {' '.join([card.name, *needed, '[name=value ...]'])}",
        "",
        *textwrap.wrap(card.manual, WIDTH),
        "",
        "arguments (lists and records as JSON):",
    ]
    for name, part in card.schema["properties"].items():
        lines += _argument(name, part, card.schema)
    for path, record in records(card.schema):
        lines += ["", *textwrap.wrap(f"{path} has: {fields(record)}.", WIDTH)]
    lines += ["", "--json, --agent, --picture and --json-output: ml-orchestrator call --help"]
    return plain(lines)


def _argument(name: str, part: Schema, schema: Schema) -> list[str]:
    taken = kinds(part, schema.get("$defs", {}))
    kind = " or ".join(_KINDS.get(each, each) for each in taken) or "any value"
    about = f"{part.get('description', '')}{limits(part)}".strip()
    head = f"  {name} ({kind}{_need(name, part, schema)})"
    return [head, *textwrap.wrap(about, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)]


def _need(name: str, part: Schema, schema: Schema) -> str:
    if name == "agent":
        return f", default {AGENT}"
    if name in schema.get("required", []):
        return ", required"
    return f", default {json.dumps(part['default'])}" if "default" in part else ""
