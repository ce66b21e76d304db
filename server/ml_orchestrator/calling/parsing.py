"""What ``ml-orchestrator call``, ``train`` and ``registry`` take; it loads nothing else."""

import argparse
from pathlib import Path
from typing import TypeAlias

from ml_orchestrator.calling.commands import CommandParser

__all__ = ["add_calls"]

Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"


class _Manual(argparse.Action):
    """``--help`` of a call: the manual of its tool, if one is named."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object
    ) -> None:
        if namespace.tool is None:
            parser.print_help()
            parser.exit()
        namespace.manual = True


def add_calls(commands: Commands) -> None:
    """Add what calls the server's tools."""
    _add_call(commands)
    _add_train(commands)
    _add_registry(commands)


def _add_call(commands: Commands) -> None:
    call = commands.add_parser(
        "call",
        help="call a tool as a client does",
        usage="ml-orchestrator call [TOOL [name=value ...]] [--help] [OPTION ...]",
        add_help=False,
    )
    call.add_argument("tool", nargs="?", metavar="TOOL", help="which; without it, all are listed")
    _add_values(call, of="")
    call.add_argument(
        "-h",
        "--help",
        action=_Manual,
        nargs=0,
        dest="manual",
        default=False,
        help="after TOOL: what it does and takes",
    )
    call.add_argument("--json", metavar="JSON", help="arguments: an object, @FILE, or - for stdin")
    call.add_argument("--picture", type=Path, metavar="FILE", help="(default: TOOL.png, if free)")
    _add_agent(call)
    _add_output(call)


def _add_train(commands: Commands) -> None:
    train = commands.add_parser("train", help="train a model in the background")
    train.add_argument("data", metavar="DATA", help="a file inside the roots, or builtin:NAME")
    train.add_argument("target", metavar="TARGET", help="the column to predict")
    _add_values(train, of="training_start")
    train.add_argument("--model", metavar="NAME", help="(default: the name of the data)")
    train.add_argument(
        "--ignore", metavar="COLUMN", action="append", default=[], help="leave it out; repeat it"
    )
    train.add_argument("--watch", action="store_true", help="follow it to its end")
    _add_agent(train)
    _add_output(train)


def _add_registry(commands: Commands) -> None:
    registry = commands.add_parser("registry", help="list models, show one, move an alias")
    acts = registry.add_subparsers(title="acts", required=True, metavar="ACT", dest="act")
    listed = acts.add_parser("list", help="the registered models")
    show = acts.add_parser("show", help="the versions of one, and what moves of its aliases need")
    move = acts.add_parser("move", help="let an alias name another version")
    for act in (show, move):
        act.add_argument("model", metavar="MODEL")
    move.add_argument("alias", metavar="ALIAS")
    move.add_argument("version", help="a number, previous, or null to remove the alias")
    move.add_argument("--expect", type=int, metavar="VERSION", help="where it points now")
    move.add_argument("--reason", required=True, help="why; kept in the history")
    move.add_argument("--evidence", help="scores, run ids, reports")
    move.add_argument("--dry-run", action="store_true", help="show the plan and its digest")
    move.add_argument("--plan-digest", metavar="DIGEST", help="move by exactly the reviewed plan")
    _add_agent(move)
    _add_output(listed, show, move)


def _add_values(parser: CommandParser, *, of: str) -> None:
    """Take arguments ``of`` a tool, as the parser calls it."""
    parser.tool = of
    parser.add_argument(
        "values", nargs="*", default=[], metavar="name=value", help="arguments of the tool"
    )


def _add_agent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agent", metavar="NAME", help="who acts (default: ml-orchestrator)")


def _add_output(*parsers: argparse.ArgumentParser) -> None:
    for parser in parsers:
        parser.add_argument("--json-output", action="store_true", help="print the record as JSON")
