"""A parser of commands that says which word it does not know, and what was perhaps meant."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

from ml_orchestrator.faults import near, nearest
from ml_orchestrator.program import program

__all__ = ["CommandParser"]

_CHOICE = re.compile(r"invalid choice: '([^']*)'")
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


class CommandParser(argparse.ArgumentParser):
    """Refuses an option that it does not know before it misses anything else.

    Attributes:
        tool: whose arguments its words ``name=value`` are; "" is the one that its first word names,
            and None takes no such words.
        takes_all: whether any word goes on to somebody else.
        is_hidden: whether it is not for people.
    """

    tool: str | None = None
    takes_all = False
    is_hidden = False

    def __init__(self, *args: Any, before: Sequence[str] = (), **kwargs: Any) -> None:
        """Take what argparse does, and options that stand ``before`` the command."""
        self._before = tuple(before)
        self._options: list[str] = []
        self._commands: argparse._SubParsersAction[CommandParser] | None = None
        super().__init__(*args, **kwargs)

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """Add one, as argparse does."""
        action = super().add_argument(*args, **kwargs)
        self._options += action.option_strings
        return action

    def add_subparsers(self, **kwargs: Any) -> Any:
        """Return where commands are added, which know the options that stand before them."""
        kwargs["parser_class"] = partial(CommandParser, before=(*self._before, *self._options))
        self._commands = super().add_subparsers(**kwargs)
        return self._commands

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, once every option among the words of a command is known."""
        words = sys.argv[1:] if args is None else list(args)
        if self._commands is None and not self.takes_all:
            for word in _options_in(words):
                if not self._knows(word):
                    self.error(self._unknown(word, words))
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> Any:
        """Print usage and ``message``, and end; a command that is not there is told by its name."""
        chosen = _CHOICE.search(message)
        if self._commands is not None and chosen:
            known = [name for name, each in self._commands.choices.items() if not each.is_hidden]
            message = (
                f"no command {chosen[1]!r}{near(chosen[1], known)}; known: {', '.join(known)}. "
                f"{self.prog} --help says what each is for."
            )
        super().error(message)

    def _knows(self, word: str) -> bool:
        name = word.partition("=")[0]
        if name.startswith("--"):
            return any(option.startswith(name) for option in self._options)
        return name[:2] in self._options

    def _unknown(self, word: str, words: Sequence[str]) -> str:
        """Say that there is no such option, what is alike, and what there is."""
        name = word.partition("=")[0]
        if name in self._before:
            return f"{name} stands before the command: {program()} {name} ... {self._command}."
        tool = self.tool or next((each for each in words if not each.startswith("-")), "")
        arguments = _arguments_of(tool) if self.tool is not None else []
        said = [f"no option {name}{_meant(name, self._options, arguments)}."]
        said.append(f"Options: {', '.join(sorted(o for o in self._options if o[:2] == '--'))}.")
        if arguments:
            said.append(
                f"Arguments of {tool} are typed as name=value; `{program()} call {tool} "
                "--help` names them."
            )
        return " ".join(said)

    @property
    def _command(self) -> str:
        return self.prog.partition(" ")[2]


def _options_in(words: Sequence[str]) -> Iterator[str]:
    """Yield the words that argparse takes for options."""
    for word in words:
        if word == "--":
            return
        if len(word) > 1 and word[0] == "-" and " " not in word and not _NUMBER.fullmatch(word):
            yield word


def _meant(name: str, options: Sequence[str], arguments: Sequence[str]) -> str:
    """Return words that name what is most like an unknown option; none if nothing is.

    >>> _meant("--trials", ["--watch"], ["trainers", "n_trials"])
    ' (did you mean n_trials=...?)'
    """
    forms = {each: f"{each}=..." for each in arguments} | {_bare(each): each for each in options}
    found = nearest(_bare(name), forms)
    return "" if found is None else f" (did you mean {forms[found]}?)"


def _bare(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _arguments_of(tool: str) -> list[str]:
    """Return the names of a tool's arguments; none if there is no such tool."""
    tools = import_module("ml_orchestrator.tools").TOOLS  # loads the server, which others need not
    return list(signature(tools[tool].handler).parameters) if tool in tools else []
