"""Check what skills and pages show: versions, command lines, and blocks of code.

Run it as ``python -m tests.plugin.check_shown``; it prints one line per fault and exits 1 if
there is any, then what cannot be checked here. It uses no network.
"""

import ast
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from tests.plugin.lint_skills import SKILLS
from tests.plugin.shown_commands import (
    NotACommandError,
    Tree,
    command_faults,
    command_lines,
    inline_commands,
    known_programs,
    python_faults,
    trees,
)
from tests.plugin.shown_versions import declared, locked, version_faults, versions_of
from tests.plugin.skill_files import Block, read_skills

__all__ = ["block_faults", "code_faults", "shown_faults", "unchecked"]

ROOT = Path(__file__).resolve().parents[2]
STARTERS = {"spark-submit", "torchrun"}  # of Python files
PAGES = ("README.md", "CONTRIBUTING.md", "hooks/README.md", "docs/*.md")


def code_faults(kind: str, code: str) -> Iterator[str]:
    """Yield what is no YAML, JSON or Python."""
    try:
        if kind == "yaml":
            yaml.safe_load(code)
        elif kind == "json":
            json.loads(code)
        elif kind == "python":
            ast.parse(code)
    except (yaml.YAMLError, ValueError, SyntaxError) as error:
        yield f"{code.splitlines()[0][:60]!r} is no {kind}: {error}"


def block_faults(block: Block, known: Mapping[str, Tree], files: list[Path]) -> Iterator[str]:
    """Yield what is wrong with a block; ``files`` lie beside the text."""
    yield from code_faults(block.kind, block.code)
    if block.kind != "bash":
        return
    try:
        lines = command_lines(block.code)
    except NotACommandError as error:
        yield str(error)
        return
    for words in lines:
        if words[0] in known:
            yield from command_faults(words, known[words[0]])
        elif Path(words[0]).name.startswith("python") or words[0] in STARTERS:
            yield from python_faults(words, files)


def shown_faults() -> list[str]:
    """Return every fault of the shipped skills and of the pages."""
    skills, known = read_skills(SKILLS), trees()
    texts = {name: skill.body for name, skill in skills.items()}
    found = list(version_faults(texts, locked(ROOT / "requirements"), declared(_PYPROJECT)))
    for name, skill in skills.items():
        files = sorted((SKILLS / name).glob("*.py"))
        for file in files:
            found += [f"{name}: {f}" for f in code_faults("python", file.read_text("utf-8"))]
        for block in skill.blocks:
            found += [f"{name}: {fault}" for fault in block_faults(block, known, files)]
    pages = {str(p.relative_to(ROOT)): p.read_text("utf-8") for g in PAGES for p in ROOT.glob(g)}
    for place, text in {**texts, **pages}.items():
        for words in inline_commands(text):
            found += [f"{place}: {fault}" for fault in command_faults(words, known[words[0]])]
    return found


def unchecked() -> list[str]:
    """Return what the skills show and nothing here can check: programs and packages."""
    skills, known = read_skills(SKILLS), known_programs()
    programs = {
        words[0]
        for skill in skills.values()
        for block in skill.blocks
        if block.kind == "bash"
        for words in command_lines(block.code)
    }
    locks = locked(ROOT / "requirements")
    packages = {*locks, *declared(_PYPROJECT)}
    named = {v for skill in skills.values() for v in versions_of(skill.body, packages)}
    return [
        *(f"program {name}" for name in sorted(programs - known) if not shutil.which(name)),
        *(
            f"{name} {version}"
            for name, version in sorted(named)
            if name not in locks or name == "docker"
        ),
    ]


_PYPROJECT = ROOT / "pyproject.toml"


def main() -> int:
    """Print the faults, then what is not checked, and return 1 if there are faults."""
    faults = shown_faults()
    for fault in faults:
        print(fault)
    print(f"Not checked here: {'; '.join(unchecked())}.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
