"""Read the skills of the plug-in: front matter, links, and fenced blocks with what each claims.

Every block of commands says in the line above it what it rests on: ``Run by the tests:``,
``Ran here with NAME VERSION, DATE:`` or ``Written for NAME VERSION, not run here:``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "Block",
    "NotASkillError",
    "Skill",
    "ToolCall",
    "read_calls",
    "read_skill",
    "read_skills",
]

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_FENCE = re.compile(r"(?P<above>[^\n]*)\n\n?```(?P<kind>\w*)\n(?P<code>.*?)\n```", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|#)([^)\s]+)\)")


class NotASkillError(ValueError):
    """The file, or a block of tool calls in it, cannot be read."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the line above it, and what stands inside."""

    kind: str
    above: str
    code: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a skill shows."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill's front matter, its text, and what is fenced or linked in it."""

    keys: Mapping[str, Any]
    body: str

    @property
    def blocks(self) -> list[Block]:
        """Every fenced block, in order."""
        return [Block(m["kind"], m["above"].strip(), m["code"]) for m in _FENCE.finditer(self.body)]

    @property
    def links(self) -> list[str]:
        """Targets of links into the repository."""
        return _LINK.findall(self.body)

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub(r"\g<above>", self.body)


def read_skill(text: str) -> Skill:
    """Split a skill file into front matter and text.

    Raises:
        NotASkillError: there is no front matter, or it is not a YAML mapping.
    """
    match = _FRONT_MATTER.fullmatch(text)
    if match is None:
        raise NotASkillError("has no front matter between two lines '---'")
    try:
        keys = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise NotASkillError(f"has front matter that is not YAML: {error}") from error
    if not isinstance(keys, dict):
        raise NotASkillError("has front matter that is not a mapping")
    return Skill(keys, match[2].strip())


def read_calls(code: str) -> list[ToolCall]:
    """Return the calls of a ``tool`` block: a name and a JSON object each, later lines indented.

    Raises:
        NotASkillError: a call is not a name followed by a JSON object.
    """
    return list(_calls(code))


def _calls(code: str) -> Iterator[ToolCall]:
    for text in re.split(r"\n(?=\S)", code):
        name, _, arguments = text.partition(" ")
        try:
            given = json.loads(arguments)
        except json.JSONDecodeError as error:
            raise NotASkillError(f"call {text[:60]!r} is not a name and JSON: {error}") from error
        if not isinstance(given, dict):
            raise NotASkillError(f"call {text[:60]!r} has arguments that are no object")
        yield ToolCall(name, given)


def read_skills(folder: Path) -> dict[str, Skill]:
    """Return every skill of a folder under the name of its own folder."""
    files = sorted(folder.glob("*/SKILL.md"))
    return {file.parent.name: read_skill(file.read_text(encoding="utf-8")) for file in files}
