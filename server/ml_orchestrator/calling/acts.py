"""What ``ml-orchestrator call``, ``train`` and ``registry`` do: calls of the server's tools.

The server is built in this process for the call, so that arguments, rights and approvals are
checked as they are for any client.
"""

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import anyio

from ml_orchestrator.app import build_server
from ml_orchestrator.calling.showing import list_text, manual_text, outline
from ml_orchestrator.calling.trained import command_of, training_text
from ml_orchestrator.calling.values import AGENT, read_arguments
from ml_orchestrator.deploying_text import in_a_terminal, plain, told_in_a_terminal
from ml_orchestrator.errors import (
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    PermissionDeniedError,
)
from ml_orchestrator.identity import is_agents_shell
from ml_orchestrator.orchestration.models import UNFINISHED
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings
from ml_orchestrator.tools import TOOLS
from ml_orchestrator.tools.in_process import Answer, Caller, ToolCard, calling

__all__ = ["run_call", "run_registry", "run_train"]

WATCH_S = 20.0
FURTHER = 5.0  # percent
_NUMBER = re.compile(r"\d[\d.,]*")
Given: TypeAlias = argparse.Namespace
Act: TypeAlias = Callable[[Caller, Given], Awaitable[int]]


def run_call(given: Given, settings: Settings) -> int:
    """List the tools, print the manual of one, or call it; 1 if it refuses."""
    if given.tool is None:
        return _run(_list, given, settings)
    return _run(_manual if given.manual else _call, given, settings)


def run_train(given: Given, settings: Settings) -> int:
    """Start a training, and with ``--watch`` follow it; 1 if it is refused or does not succeed."""
    return _run(_train, given, settings)


def run_registry(given: Given, settings: Settings) -> int:
    """List models, show one's versions, or move an alias; 1 if that is refused."""
    acts: dict[str, Act] = {
        "list": partial(_list_models, settings.home),
        "show": _show,
        "move": _move,
    }
    return _run(acts[given.act], given, settings)


def _run(act: Act, given: Given, settings: Settings) -> int:
    async def go() -> int:
        async with calling(build_server(settings)) as caller:
            try:
                return await act(caller, given)
            except (OrchestratorError, BrokenPipeError) as error:
                ended = error  # raised in here, it would come out in a group of exceptions
        raise ended

    return anyio.run(go)


async def _list(caller: Caller, _: Given) -> int:
    print(list_text((await caller.tools()).values()))
    return 0


async def _manual(caller: Caller, given: Given) -> int:
    print(manual_text(await _card(caller, given.tool)))
    return 0


async def _call(caller: Caller, given: Given) -> int:
    card = await _card(caller, given.tool)
    arguments = read_arguments(card.schema, given.values, given.json)
    answer = await _answer(caller, card, arguments, given)
    code, fields = _told(answer, given), answer.fields or {}
    if not card.reads_only and "run_id" in fields and fields.get("state") in UNFINISHED:
        _say(f"Follow it: {command_of(given.home)} runs show {fields['run_id']} --watch")
    return code


async def _train(caller: Caller, given: Given) -> int:
    card = await _card(caller, "training_start")
    arguments = read_arguments(card.schema, given.values, None)
    name = PurePosixPath(given.data.removeprefix("builtin:")).stem
    named = {"source": given.data, "target": given.target}
    if given.model is not None:
        named["model"] = given.model
    if twice := sorted(arguments.keys() & named.keys()):
        raise InvalidInputError(f"Argument {twice[0]!r} is given twice.")
    if given.target in given.ignore:
        raise InvalidInputError(
            f"Column {given.target!r} is TARGET, what is predicted, so it cannot be ignored. Leave "
            f"out --ignore {shlex.quote(given.target)}, or predict another column."
        )
    if given.ignore:
        arguments["column_types"] = _with_ignored(arguments.get("column_types", {}), given.ignore)
    answer = await _answer(caller, card, {"model": name} | arguments | named, given)
    if answer.is_error or answer.fields is None:
        return _told(answer, given)
    run_id = answer.fields["run_id"]
    watching = f"{command_of(given.home)} runs show {run_id} --watch"
    if not given.watch:
        shown = answer.fields if given.json_output else told_in_a_terminal(answer.fields)
        _told(replace(answer, fields=shown), given)
        _say(f"Follow it: {watching}")
        return 0
    _say(f"The run is {run_id}; it goes on without this terminal. To see it again: {watching}")
    ended = await _end_of(caller, run_id)
    fields = ended.fields or {}
    if given.json_output or ended.is_error or not fields.get("result"):
        return _told(ended, given) or int(fields.get("state") != "succeeded")
    print(training_text(fields, given.home, _asked(given)))
    return 0


def _asked(given: Given) -> list[str]:
    """Return the words after ``train`` that ask for the same training in another call."""
    values = [value for value in given.values if not value.startswith("idempotency_key=")]
    words = [given.data, given.target, *values]
    words += [] if given.model is None else ["--model", given.model]
    words += [word for name in given.ignore for word in ("--ignore", name)]
    words += [] if given.agent is None else ["--agent", given.agent]
    return [*words, *(["--watch"] if given.watch else [])]


def _with_ignored(types: dict[str, Any], ignored: Sequence[str]) -> dict[str, Any]:
    """Return the types of columns with those that are left out.

    Raises:
        InvalidInputError: one of them has another type.
    """
    for name in ignored:
        if types.get(name, "ignore") != "ignore":
            raise InvalidInputError(
                f"Column {name!r} is to be ignored and read as {types[name]!r}; choose one."
            )
    return types | dict.fromkeys(ignored, "ignore")


async def _end_of(caller: Caller, run_id: str) -> Answer:
    """Wait for the end of a training and return what became of it."""
    asked, report = {"run_id": run_id, "wait_s": WATCH_S}, _Progress()
    while True:
        answer = await caller.call("training_status", asked, report)
        state = (answer.fields or {}).get("state")
        if answer.is_error or state not in UNFINISHED:
            return answer


async def _list_models(home: Path, caller: Caller, given: Given) -> int:
    answer = await _answer(caller, await _card(caller, "registry_list"), {}, given)
    if answer.is_error or given.json_output or (answer.fields or {}).get("models"):
        return _told(answer, given)
    print(plain([f"No models are registered yet in {home}."]))
    return 0


async def _show(caller: Caller, given: Given) -> int:
    card = await _card(caller, "registry_list")
    answer = await _answer(caller, card, {"model": given.model}, given)
    if answer.is_error or answer.fields is None or given.json_output:
        return _told(answer, given)
    versions = answer.fields["versions"]
    bare = [{**each, "warnings": []} for each in versions]
    _told(replace(answer, fields={**answer.fields, "versions": bare}), given)
    for version in versions:
        for text in version["warnings"]:
            print(plain([f"warning: version {version['version']}: {in_a_terminal(text)}"]))
    return 0


async def _move(caller: Caller, given: Given) -> int:
    card = await _card(caller, "registry_move_alias")
    arguments = read_arguments(card.schema, [f"version={given.version}"], None)
    named = {
        "model": given.model,
        "alias": given.alias,
        "expected_version": given.expect,
        "reason": given.reason,
        "evidence": given.evidence,
        "dry_run": given.dry_run,
        "plan_digest": given.plan_digest,
    }
    answer = await _answer(caller, card, arguments | named, given)
    if answer.is_error:  # it speaks of the tool's arguments
        answer = replace(answer, text=in_a_terminal(answer.text))
    return _told(answer, given)


async def _card(caller: Caller, tool: str) -> ToolCard:
    """Return a tool that the server offers.

    Raises:
        PermissionDeniedError: it changes something, and the mode is read-only.
        NotFoundError: there is none of that name.
    """
    offered = await caller.tools()
    if tool not in offered and tool in TOOLS:
        raise PermissionDeniedError.in_read_only(tool)
    try:
        return offered[tool]
    except NotFoundError as error:
        raise NotFoundError(
            f"{error} `{program()} call` lists them with what each does."
        ) from error


async def _answer(caller: Caller, card: ToolCard, asked: dict[str, Any], given: Given) -> Answer:
    """Call a tool under the agent's name, where it takes one.

    Raises:
        InvalidInputError: two agents are named.
        PermissionDeniedError: it changes something, and the shell is an agent's, whose name and
            rights no hook checks here.
    """
    if not card.reads_only and is_agents_shell(os.environ):
        raise PermissionDeniedError(
            f"{card.name} changes something, and this is the shell of an agent, which may only "
            f"read from here. Call the tool {card.name} of the MCP server instead."
        )
    return await caller.call(card.name, asked | _acting(card, asked, given), _Progress())


def _acting(card: ToolCard, asked: Mapping[str, Any], given: Given) -> dict[str, str]:
    """Return who acts as an argument of a tool; nothing if that is said, or the tool takes none.

    Raises:
        InvalidInputError: two agents are named.
    """
    agent: str | None = getattr(given, "agent", None)
    if agent is None:
        takes_one = "agent" in card.schema["properties"] and "agent" not in asked
        return {"agent": AGENT} if takes_one else {}
    if asked.get("agent", agent) != agent:
        raise InvalidInputError(
            f"--agent is {agent!r} and the argument agent {asked['agent']!r}. Give one of them, "
            f"or the same twice. {card.name} was not called."
        )
    return {"agent": agent}


class _Progress:
    """Writes how far a call is to standard error.

    A line is written where another text comes, numbers aside, or the call is ``FURTHER`` percent
    further than at the last one: a search that counts its seconds says little else for minutes.
    """

    def __init__(self) -> None:
        self._words: str | None = None
        self._percent = 0.0

    async def __call__(self, percent: float, message: str) -> None:
        words = _NUMBER.sub("", message)
        if words != self._words or percent >= self._percent + FURTHER:
            self._words, self._percent = words, percent
            _say(f"{percent:3.0f} %  {message}")


def _told(answer: Answer, given: Given) -> int:
    """Print an answer, or why there is none, and return the exit code."""
    if answer.is_error:
        _say(f"ml-orchestrator: {answer.text}")
        return 1
    if answer.fields is None:
        print(plain(answer.text.split("\n")))
    else:
        print(json.dumps(answer.fields) if given.json_output else outline(answer.fields))
    for path in _write(answer.pictures, given):
        _say(f"A picture is in {path}")
    return 0


def _say(text: str) -> None:
    print(plain(text.split("\n")), file=sys.stderr, flush=True)


def _write(pictures: Sequence[bytes], given: Given) -> list[Path]:
    """Write pictures, further ones with a number; only a file that was named is replaced."""
    wanted = getattr(given, "picture", None)
    names = _numbered(wanted or Path(f"{given.tool}.png")) if pictures else iter(())
    return [_put(picture, names, wanted) for picture in pictures]


def _put(picture: bytes, names: Iterator[Path], wanted: Path | None) -> Path:
    """Write a picture under the next name that is ``wanted`` or free, and return that."""
    while True:
        path = next(names)
        try:
            with path.open("wb" if path == wanted else "xb") as file:
                file.write(picture)
        except FileExistsError:
            continue
        except OSError as error:
            raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error
        return path


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for n in count(2):
        yield path.with_stem(f"{path.stem}-{n}")
