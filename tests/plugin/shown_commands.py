"""Command lines that skills and pages show, against what the programs here really take.

A program's commands and options come from its own parser, so what is checked is what would run.
Programs that are not here are named by ``check_shown``, not passed over in silence.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ml_orchestrator.cli import _parser

__all__ = [
    "NotACommandError",
    "Tree",
    "command_faults",
    "command_lines",
    "inline_commands",
    "known_programs",
    "python_faults",
    "trees",
]

_BREAKS = {"&&", "||", ";", "|"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_INLINE = re.compile(r"`(?:\.venv/bin/)?(ml-orchestrator [^`]+)`")
_LINE = re.compile(
    r"^ *(?:\$ )?(?:\.venv/bin/)?(ml-orchestrator (?:[^\n]*\\\n)*[^\n]*)$", re.MULTILINE
)
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELLS = {"", "bash", "sh", "console"}
_PLACE_HOLDER = re.compile(r"[A-Z_]+(\.\w+)?|[.…\[({<$].*")
# Asks click what its commands take; in a process of its own, since importing MLflow takes seconds.
_CLICK_TREE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
def tree(command):
    takes = {o: not (p.is_flag or p.count) for p in command.params if hasattr(p, "is_flag")
             for o in (*p.opts, *p.secondary_opts)}
    commands = {n: tree(c) for n, c in getattr(command, "commands", {}).items()}
    return {"options": takes, "commands": commands}
module, name = sys.argv[1].split(":")
print(json.dumps(tree(getattr(importlib.import_module(module), name))))
"""
_CLICK_PROGRAMS = {"mlflow": "mlflow.cli:cli"}


class NotACommandError(ValueError):
    """The text is not what a shell takes."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What a program takes at one place: options, and commands with trees of their own.

    ``options`` says of each whether a value follows it.
    """

    options: Mapping[str, bool] = field(default_factory=dict)
    commands: Mapping[str, "Tree"] = field(default_factory=dict)


def known_programs() -> set[str]:
    """Return the programs whose command lines are checked."""
    return {"ml-orchestrator", "python", *_CLICK_PROGRAMS}


def trees() -> dict[str, Tree]:
    """Return the programs here whose parser can be asked."""
    return {
        "ml-orchestrator": _argparse_tree(_parser()),
        **{name: _click_tree(place) for name, place in _CLICK_PROGRAMS.items()},
    }


def command_lines(code: str) -> list[list[str]]:
    """Return the commands of a shell block as words, without variables set before them.

    Raises:
        NotACommandError: a shell would not take it.
    """
    checked = subprocess.run(
        ["bash", "-n", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    if checked.returncode:
        raise NotACommandError(checked.stderr.strip())
    found: list[list[str]] = []
    for line in code.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), ";"]:
            if word in _BREAKS:
                found += [words] if words else []
                words = []
            elif words or not _ASSIGNMENT.match(word):
                words.append(word)
    return found


def inline_commands(text: str) -> list[list[str]]:
    """Return our own commands that stand within sentences, or on lines of fenced blocks."""
    blocks = [block for kind, block in _FENCED.findall(text) if kind in _SHELLS]
    lines = [line for block in blocks for line in _LINE.findall(block)]
    found = [words for line in lines for words in command_lines(line)[:1]]
    return [*found, *(shlex.split(each) for each in _INLINE.findall(text))]


def command_faults(words: Sequence[str], tree: Tree) -> Iterator[str]:
    """Yield what a program would refuse: options it has not, commands it does not know."""
    shown, place = shlex.join(words), words[0]
    options, is_value = dict(tree.options), False
    for word in words[1:]:
        name = word.partition("=")[0]
        if is_value:
            is_value = False
        elif word.startswith("-") and len(word) > 1:
            if name not in options:
                yield f"{shown!r}: {place} has no option {name!r}"
                return
            is_value = options[name] and "=" not in word
        elif tree.commands and not _PLACE_HOLDER.fullmatch(word):
            if word not in tree.commands:
                known = ", ".join(tree.commands)
                yield f"{shown!r}: {place} has no command {word!r}; known: {known}"
                return
            tree, place = tree.commands[word], f"{place} {word}"
            options |= tree.options


def python_faults(words: Sequence[str], files: Collection[Path]) -> Iterator[str]:
    """Yield what is wrong with a line that runs Python: no such file, module or option of it."""
    shown = shlex.join(words)
    if words[1:2] == ["-m"]:
        if find_spec(words[2].partition(".")[0]) is None:
            yield f"{shown!r}: no module {words[2]!r} here"
        return
    scripts = [word for word in words[1:] if word.endswith(".py")]
    sources = {file.name: file for file in files}
    for script in scripts:
        if Path(script).name not in sources:
            yield f"{shown!r}: {script} lies nowhere beside it"
            return
        text = sources[Path(script).name].read_text(encoding="utf-8")
        for option in words[words.index(script) + 1 :]:
            if option.startswith("--") and f'"{option.partition("=")[0]}"' not in text:
                yield f"{shown!r}: {script} has no option {option!r}"


def _argparse_tree(parser: argparse.ArgumentParser) -> Tree:
    commands: dict[str, Tree] = {}
    options: dict[str, bool] = {}
    for action in parser._actions:
        options |= dict.fromkeys(action.option_strings, action.nargs != 0)
        if isinstance(action, argparse._SubParsersAction):
            commands |= {name: _argparse_tree(part) for name, part in action.choices.items()}
    return Tree(options, commands)


def _click_tree(place: str) -> Tree:
    command = [sys.executable, "-c", _CLICK_TREE, place]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return _tree(json.loads(asked.stdout))


def _tree(found: Mapping[str, Any]) -> Tree:
    commands = {name: _tree(part) for name, part in found["commands"].items()}
    return Tree({"--help": False, **found["options"]}, commands)
