"""Check the skills of the plug-in, and what the agents say about them, against what exists.

Run it as ``python -m tests.plugin.lint_skills [SKILLS [AGENTS]]``; it prints one line per fault
and exits 1 if there is any.
"""

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.plugin.lint_agents import AGENTS, PREFIX, NotAnAgentError, read_agent, tools_of
from tests.plugin.skill_files import Block, NotASkillError, Skill, ToolCall, read_calls, read_skill

from ml_orchestrator.tools import TOOLS

__all__ = ["Offer", "lint", "lint_agent", "lint_folders", "offered", "rests_on_tests"]

SKILLS = AGENTS.parent / "skills"
KEYS = {"name", "description"}
DESCRIPTION_CHARACTERS = range(80, 401)
MOST_LINES = 140
KINDS = {"tool", "bash", "python", "yaml", "json"}
RUN_BY_TESTS = "Run by the tests:"

_MARKS = re.compile(
    rf"{RUN_BY_TESTS}"
    r"|Ran here with [^:]*\d+\.\d+[^:]*, \d{4}-\d\d-\d\d( \([^)]+\))?:"
    r"|Written for [^:]*\d+[^:]*, not run here( \([^)]+\))?:"
)
_CODE_WORD = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
_SKILL_NAME = re.compile(r"`ml-orchestrator:([a-z-]+)`")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server offers: each tool's arguments and result fields, and those required."""

    arguments: Mapping[str, Collection[str]]
    required: Mapping[str, Collection[str]]
    fields: Collection[str]

    def looks_like_a_tool(self, word: str) -> bool:
        """Whether a word begins like a tool's name and is no field of one."""
        families = {tool.partition("_")[0] for tool in self.arguments}
        return word.partition("_")[0] in families and word not in self.fields


def offered() -> Offer:
    """Return what the server's own tools offer."""
    built = {name: entry.build() for name, entry in TOOLS.items()}
    schemas = [part for tool in built.values() for part in (tool.parameters, tool.output_schema)]
    return Offer(
        {name: set(tool.parameters["properties"]) for name, tool in built.items()},
        {name: tool.parameters.get("required", []) for name, tool in built.items()},
        {name for schema in schemas for name in _property_names(schema)},
    )


def rests_on_tests(block: Block) -> bool:
    """Whether a block says that the tests run it."""
    return block.above == RUN_BY_TESTS


def lint(
    text: str, *, name: str, files: Collection[str], skills: Collection[str], offer: Offer
) -> list[str]:
    """Return the faults of one skill; ``files`` are the others in its folder."""
    try:
        skill = read_skill(text)
    except NotASkillError as error:
        return [str(error)]
    return [
        *_front_matter_faults(skill, name),
        *_link_faults(skill, files),
        *(fault for block in skill.blocks for fault in _block_faults(block, offer)),
        *_word_faults(skill.prose, skills, offer),
    ]


def lint_agent(text: str, skills: Mapping[str, Collection[str]]) -> list[str]:
    """Return the faults in what an agent file says about skills; each has the tools it calls."""
    try:
        agent = read_agent(text)
    except NotAnAgentError as error:
        return [str(error)]
    preloaded = [name.strip() for name in str(agent.keys.get("skills", "")).split(",") if name]
    named = set(_SKILL_NAME.findall(agent.body))
    faults = [f"skill {n!r} does not exist" for n in sorted({*preloaded, *named} - {*skills})]
    granted = {tool.removeprefix(PREFIX) for tool in tools_of(agent)}
    for name in preloaded:
        if lacking := sorted({*skills.get(name, ())} - granted):
            faults.append(
                f"skill {name!r} is preloaded and calls {', '.join(lacking)}, not granted"
            )
    can_call = "Skill" in granted
    if can_call and not named - {*preloaded}:
        faults.append("Skill is granted but the prompt names no skill to call")
    if named - {*preloaded} and not can_call:
        faults.append("prompt names skills to call, but Skill is not granted")
    return faults


def lint_folders(skills: Path, agents: Path) -> list[str]:
    """Return the faults of every skill and of every agent's words about them."""
    folders = sorted(path.parent for path in skills.glob("*/SKILL.md"))
    if not folders:
        return [f"{skills}: no skills"]
    names, offer = [folder.name for folder in folders], offered()
    found = {
        folder.name: lint(
            (folder / "SKILL.md").read_text(encoding="utf-8"),
            name=folder.name,
            files=[path.name for path in folder.iterdir() if path.suffix and path.is_file()],
            skills=names,
            offer=offer,
        )
        for folder in folders
    }
    called = {folder.name: _tools_called(folder / "SKILL.md", offer) for folder in folders}
    found |= {file.name: lint_agent(file.read_text(), called) for file in agents.glob("*.md")}
    return [f"{name}: {fault}" for name, faults in sorted(found.items()) for fault in faults]


def _tools_called(file: Path, offer: Offer) -> set[str]:
    """Return the tools that a skill names anywhere."""
    return {*re.findall(r"\w+", file.read_text(encoding="utf-8"))} & {*offer.arguments}


def _front_matter_faults(skill: Skill, name: str) -> Iterator[str]:
    for key in sorted(set(skill.keys) - KEYS):
        yield f"key {key!r} is not used here; known: {', '.join(sorted(KEYS))}"
    if skill.keys.get("name") != name:
        yield f"name {skill.keys.get('name')!r} is not the folder's name {name!r}"
    length = len(str(skill.keys.get("description", "")))
    if length not in DESCRIPTION_CHARACTERS:
        first, last = DESCRIPTION_CHARACTERS.start, DESCRIPTION_CHARACTERS.stop - 1
        yield f"description has {length} characters; {first} to {last} fit"
    if (n_lines := len(skill.body.splitlines())) > MOST_LINES:
        yield f"text has {n_lines} lines; {MOST_LINES} fit"


def _link_faults(skill: Skill, files: Collection[str]) -> Iterator[str]:
    others = {*files} - {"SKILL.md"}
    for link in sorted({*skill.links} - others):
        yield f"link {link!r} leads nowhere"
    for file in sorted(others - {*skill.links}):
        yield f"file {file!r} lies in the folder and is never linked"


def _block_faults(block: Block, offer: Offer) -> Iterator[str]:
    first = block.code.splitlines()[0][:60]
    if block.kind not in KINDS:
        yield f"block {first!r} has language {block.kind!r}; known: {', '.join(sorted(KINDS))}"
    if _MARKS.fullmatch(block.above) is None:
        yield f"block {first!r} does not say in the line above whether and with what it ran"
    if block.kind != "tool":
        return
    if not rests_on_tests(block):
        yield f"block {first!r} calls tools, so the tests must run it"
    try:
        calls = read_calls(block.code)
    except NotASkillError as error:
        yield str(error)
        return
    for call in calls:
        yield from _call_faults(call, offer)


def _call_faults(call: ToolCall, offer: Offer) -> Iterator[str]:
    if call.tool not in offer.arguments:
        yield f"call of {call.tool!r}, which is no tool"
        return
    for argument in sorted(set(call.arguments) - {*offer.arguments[call.tool]}):
        yield f"{call.tool} has no argument {argument!r}"
    for argument in sorted({*offer.required[call.tool]} - set(call.arguments)):
        yield f"{call.tool} is called without {argument!r}"


def _word_faults(prose: str, skills: Collection[str], offer: Offer) -> Iterator[str]:
    for word in sorted(set(_CODE_WORD.findall(prose)) - {*offer.arguments}):
        if offer.looks_like_a_tool(word):
            yield f"text names {word!r}, which is no tool"
    for name in sorted(set(_SKILL_NAME.findall(prose)) - {*skills}):
        yield f"text names the skill {name!r}, which does not exist"


def _property_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _property_names(part)


def main(argv: list[str]) -> int:
    """Print the faults of the folders and return 1 if there are any."""
    skills = Path(argv[0]) if argv else SKILLS
    agents = Path(argv[1]) if len(argv) > 1 else AGENTS
    faults = lint_folders(skills, agents)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
