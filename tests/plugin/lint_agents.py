"""Check the agent files of the plug-in against what Claude Code and our server really offer.

Claude Code's own validator accepts any front matter. This one is strict: run it as
``python tests/plugin/lint_agents.py [FOLDER]``; it prints one line per fault and exits 1 if
there is any.
"""

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ml_orchestrator.tools import TOOLS

__all__ = [
    "OPTIONAL_TOOLS",
    "PREFIX",
    "AgentFile",
    "lint",
    "lint_folder",
    "offered",
    "read_agent",
    "tools_of",
]

AGENTS = Path(__file__).resolve().parents[2] / "agents"
PREFIX = "mcp__plugin_ml-orchestrator_ml__"

KEYS = {"name", "description", "tools", "model", "color", "effort", "maxTurns", "skills"}
COLORS = {"red", "blue", "green", "yellow", "purple", "orange", "pink", "cyan"}
MODELS = {"inherit", "sonnet", "opus", "haiku"}
CLIENT_TOOLS = {"Agent", "Read", "Grep", "Glob", "Skill"}
# Tools of a server that a person may have; without it the client leaves their names out.
OPTIONAL_TOOLS = {
    f"mcp__{server}__{tool}"
    for server in ("context7", "plugin_context7_context7")
    for tool in ("resolve-library-id", "query-docs")
}
STARTER = "ml-orchestrator"  # the one agent that starts others
DESCRIPTION_CHARACTERS = range(80, 601)
BODY_CHARACTERS = range(1_000, 9_001)
MOST_LINES = 85  # a person reads it; procedures are skills

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CODE_WORD = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
_FULL_NAME = re.compile(r"mcp__\w[\w-]*")


@dataclass(frozen=True, slots=True)
class AgentFile:
    """An agent's front matter and the prompt below it."""

    keys: Mapping[str, Any]
    body: str


class NotAnAgentError(ValueError):
    """The file has no readable front matter."""


def offered() -> dict[str, frozenset[str]]:
    """Return the server's tools, each with every argument name that its schema knows."""
    return {
        name: frozenset(_property_names(entry.build().parameters)) for name, entry in TOOLS.items()
    }


def read_agent(text: str) -> AgentFile:
    """Split an agent file into front matter and prompt.

    Raises:
        NotAnAgentError: there is no front matter, or it is not a YAML mapping.
    """
    match = _FRONT_MATTER.fullmatch(text)
    if match is None:
        raise NotAnAgentError("has no front matter between two lines '---'")
    try:
        keys = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise NotAnAgentError(f"has front matter that is not YAML: {error}") from error
    if not isinstance(keys, dict):
        raise NotAnAgentError("has front matter that is not a mapping")
    return AgentFile(keys, match[2].strip())


def tools_of(agent: AgentFile) -> list[str]:
    """Return the names under ``tools``, in order."""
    return [name.strip() for name in str(agent.keys.get("tools", "")).split(",") if name.strip()]


def lint(text: str, *, file_name: str, tools: Mapping[str, Collection[str]]) -> list[str]:
    """Return the faults of one agent file; ``tools`` maps each offered tool to its arguments."""
    try:
        agent = read_agent(text)
    except NotAnAgentError as error:
        return [str(error)]
    return [
        *_front_matter_faults(agent.keys, file_name),
        *_grant_faults(tools_of(agent), tools),
        *_start_faults(agent),
        *_body_faults(agent, tools),
    ]


def lint_folder(folder: Path) -> list[str]:
    """Return the faults of every agent file in a folder, each with its file's name."""
    files = sorted(folder.glob("*.md"))
    if not files:
        return [f"{folder}: no agent files"]
    tools = offered()
    return [
        f"{file.name}: {fault}"
        for file in files
        for fault in lint(file.read_text(), file_name=file.name, tools=tools)
    ]


def _front_matter_faults(keys: Mapping[str, Any], file_name: str) -> Iterator[str]:
    for key in sorted(set(keys) - KEYS):
        yield f"key {key!r} has no effect in a plug-in's agent; known: {', '.join(sorted(KEYS))}"
    name, description = str(keys.get("name", "")), str(keys.get("description", ""))
    if not _KEBAB.fullmatch(name):
        yield f"name {name!r} is not kebab-case"
    if f"{name}.md" != file_name:
        yield f"name {name!r} is not the file's name {file_name!r}"
    if len(description) not in DESCRIPTION_CHARACTERS:
        yield f"description has {len(description)} characters; {_span(DESCRIPTION_CHARACTERS)} fit"
    if keys.get("color") not in COLORS:
        yield f"color {keys.get('color')!r} is unknown; known: {', '.join(sorted(COLORS))}"
    if keys.get("model", "inherit") not in MODELS:
        yield f"model {keys['model']!r} is unknown; known: {', '.join(sorted(MODELS))}"


def _grant_faults(granted: list[str], tools: Collection[str]) -> Iterator[str]:
    if not granted:
        yield "tools are not named, so the agent would inherit every tool there is"
    for name in sorted({name for name in granted if granted.count(name) > 1}):
        yield f"tool {name!r} is granted twice"
    for name in granted:
        if name in CLIENT_TOOLS | OPTIONAL_TOOLS:
            continue
        if name.removeprefix(PREFIX) not in tools:
            yield f"tool {name!r} is granted but does not exist"
        elif name in tools:
            yield f"tool {name!r} is granted by its short name; write {PREFIX}{name}"


def _start_faults(agent: AgentFile) -> Iterator[str]:
    """Yield what is wrong with how an agent may start others.

    Claude Code 2.1.330 lets a subagent with the tool start any, also where types in brackets
    follow the name. Two that start each other would go on to its limit of depth, so one starts.
    """
    if "Agent(" in str(agent.keys.get("tools", "")):
        yield "types of agents after 'Agent' restrict nothing in a subagent; say them in the prompt"
    may_start = "Agent" in tools_of(agent)
    if may_start and agent.keys.get("name") != STARTER:
        yield f"tool 'Agent' is granted; only {STARTER} starts agents, so that none starts in turn"
    if may_start != ("`Agent`" in agent.body):
        yield "the grant of the tool 'Agent' and the prompt's word on it do not agree"


def _body_faults(agent: AgentFile, tools: Mapping[str, Collection[str]]) -> Iterator[str]:
    if len(agent.body) not in BODY_CHARACTERS:
        yield f"prompt has {len(agent.body)} characters; {_span(BODY_CHARACTERS)} fit"
    if (n_lines := len(agent.body.splitlines())) > MOST_LINES:
        yield f"prompt has {n_lines} lines; {MOST_LINES} fit"
    for name in sorted(set(_FULL_NAME.findall(agent.body))):
        yield f"prompt names {name!r} in full; use the short name"
    granted = {name.removeprefix(PREFIX) for name in tools_of(agent)}
    arguments = {argument for name in granted & set(tools) for argument in tools[name]}
    words = set(_CODE_WORD.findall(agent.body))
    for word in sorted(words - granted - arguments):
        if word in tools:
            yield f"prompt names the tool {word!r}, which the agent was not granted"
        else:
            yield f"prompt names {word!r}, which is no tool and no argument of a granted tool"
    for name in sorted(granted & set(tools) - words):
        yield f"tool {name!r} is granted but the prompt never says what for"


def _property_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _property_names(part)


def _span(characters: range) -> str:
    return f"{characters.start} to {characters.stop - 1}"


def main(argv: list[str]) -> int:
    """Print the faults of a folder and return 1 if there are any."""
    faults = lint_folder(Path(argv[0]) if argv else AGENTS)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
