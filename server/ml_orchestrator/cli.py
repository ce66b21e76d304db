"""The command line: ``ml-orchestrator COMMAND``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from ml_orchestrator import __version__, command_acts
from ml_orchestrator.calling.commands import CommandParser
from ml_orchestrator.calling.parsing import add_calls
from ml_orchestrator.command_acts import Act
from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.logs import log_to_stderr
from ml_orchestrator.settings import DEFAULT_PORT, Settings

__all__ = ["main"]

Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"

RUN_STATES = ("queued", "running", "succeeded", "failed", "cancelled")
LOGGING = ("mcp", "serve", "step", "worker")  # their standard error is a log
WRONG_USE = 2  # as argparse has it
ENDED_BY_READER = 141  # as a shell says it: 128 and the number of SIGPIPE


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; expected failures end with one clear line and exit code 1."""
    _open_standard_streams()
    arguments = _read(argv)
    try:
        code = _done(arguments)
        if sys.stdout is not None and not sys.stdout.closed:  # None: there was none at the start
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has enough, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ENDED_BY_READER
    except KeyboardInterrupt:  # how following something ends
        code = 130
    sys.exit(code)


def _read(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked; values may stand after options, where argparse takes none."""
    parser = _parser()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        sys.exit(WRONG_USE)
    arguments: argparse.Namespace
    arguments, rest = parser.parse_known_args(argv)
    takes_values = hasattr(arguments, "values") and not any(word.startswith("-") for word in rest)
    if rest and not takes_values:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.values = [*arguments.values, *rest]
    return arguments


def _done(arguments: argparse.Namespace) -> int:
    """Return the exit code of a command once the act of its name is done."""
    act: Act = getattr(command_acts, arguments.command)
    try:
        settings = Settings.read(home=arguments.home, mode=getattr(arguments, "mode", None))
        log_to_stderr(settings.log_level, for_person=not _logs(arguments))
        return act(arguments, settings)
    except OrchestratorError as error:
        print(f"ml-orchestrator: {error}", file=sys.stderr)
        return 1


def _logs(arguments: argparse.Namespace) -> bool:
    """Whether the standard error of this command is a log."""
    is_looking = arguments.command == "worker" and arguments.act != "run"
    return arguments.command in LOGGING and not is_looking


def _open_standard_streams() -> None:
    """Open those that were closed when we were started, or the next file would get their number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="ml-orchestrator",
        description="Hands for an ML agent: an MCP server, its worker, and the same by command.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--home",
        type=Path,
        help="data directory (default: $ML_ORCHESTRATOR_HOME, else .ml-orchestrator in the "
        "project)",
    )
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", dest="command"
    )
    _add_servers(commands)
    add_calls(commands)
    _add_keys(commands)
    _add_deploy(commands)
    _add_runs(commands)
    _add_workflow(commands)
    _add_components(commands)
    _add_events(commands)
    _add_audit(commands)
    _add_monitors(commands)
    _add_for_people(commands)
    return parser


def _add_servers(commands: Commands) -> None:
    """Add what runs until it is stopped or idle."""
    serve = commands.add_parser("mcp", help="answer MCP on stdio or HTTP")
    serve.add_argument("--transport", choices=["stdio", "http"], default="stdio")
    serve.add_argument("--host", default="127.0.0.1", help="HTTP: address (default %(default)s)")
    serve.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="HTTP: port (default %(default)s)"
    )
    serve.add_argument("--mode", choices=["read-only", "operator"], help="which tools exist")

    worker = commands.add_parser("worker", help="execute workflows until idle; or see to who does")
    worker.add_argument(
        "act",
        nargs="?",
        choices=["run", "status", "stop", "restart"],
        default="run",
        help="run (default): be one; status: who is; stop, restart: those of this machine leave "
        "once the steps under way are done, and restart begins as many with the settings here",
    )
    worker.add_argument(
        "--beside", action="store_true", help="run: one more, where Postgres has runs"
    )
    worker.add_argument(
        "--now", action="store_true", help="stop, restart: cut the steps off; they are done again"
    )

    model = commands.add_parser("serve", help="answer predictions of a model over HTTP")
    model.add_argument("--model", required=True, help="name of the registered model")
    model.add_argument("--version", type=int, help="which version; it stays, unless with --alias")
    model.add_argument(
        "--alias",
        help="the alias to follow (default: champion, which somebody has to move first; "
        "challenger serves what was trained last, and follows each training)",
    )
    model.add_argument("--host", default="127.0.0.1", help="address (default %(default)s)")
    model.add_argument("--port", type=int, default=0, help="port (default 0: any free one)")
    model.add_argument(
        "--follow", type=float, metavar="SECONDS", help="look for moves (default 10)"
    )
    model.add_argument("--isolate", action="store_true", help="the model in a process of its own")
    model.add_argument("--allow-network", action="store_true", help="other machines may ask")
    model.add_argument("--stop", action="store_true", help="stop the server that runs")

    step = commands.add_parser("step")  # not for people: the worker starts it
    step.is_hidden = step.takes_all = True
    step.add_argument("rest", nargs=argparse.REMAINDER)


def _add_acts(commands: Commands, name: str, about: str) -> Commands:
    """Add a command that has acts of its own; return where they are added."""
    parser = commands.add_parser(name, help=about)
    acts: Commands = parser.add_subparsers(title="acts", required=True, metavar="ACT", dest="act")
    return acts


def _add_json(*acts: argparse.ArgumentParser) -> None:
    for act in acts:
        act.add_argument("--json", action="store_true", help="print the record as JSON")


def _add_keys(commands: Commands) -> None:
    acts = _add_acts(commands, "keys", "keys that sign registered models")
    acts.add_parser("list", help="known keys: which one signs, is trusted or revoked")
    acts.add_parser("export", help="print the public key, for colleagues to trust")
    acts.add_parser("rotate", help="make a new signing key; the old one stays trusted")
    acts.add_parser("trust", help="trust a colleague's public key").add_argument("file", type=Path)
    revoke = acts.add_parser("revoke", help="let a key's signatures count no more")
    revoke.add_argument("fingerprint", help="at least its first 8 characters")
    sign = acts.add_parser("sign", help="vouch for a version that is not signed, as it is now")
    sign.add_argument("model")
    sign.add_argument("version", type=int)


def _add_deploy(commands: Commands) -> None:
    acts = _add_acts(commands, "deploy", "roll a version out, follow it, decide on it")

    start = acts.add_parser("start", help="bring a version before users step by step")
    start.add_argument("model")
    start.add_argument("version", type=int)
    start.add_argument("--alias", default="champion", help="moved at the switch (%(default)s)")
    start.add_argument("--expect", type=int, metavar="VERSION", help="where the alias points now")
    start.add_argument("--spec", default="{}", help="JSON, or @FILE: strategy, steps, gates, ...")
    start.add_argument("--reason", required=True)
    start.add_argument("--dry-run", action="store_true", help="show the plan and its digest")
    start.add_argument("--plan-digest", metavar="DIGEST", help="start exactly the reviewed plan")
    start.add_argument("--key", help="a retry with the same key is not done twice")

    status = acts.add_parser("status", help="where a roll-out is")
    status.add_argument("rollout", help="its id, or a model's name for the newest")
    status.add_argument(
        "--watch",
        action="store_true",
        help="follow it to its end, or until it needs somebody (exit 2)",
    )

    decide = acts.add_parser("decide", help="pause, resume, abort, roll back or promote")
    decide.add_argument("rollout")
    decide.add_argument("choice", choices=["pause", "resume", "abort", "rollback", "promote"])
    decide.add_argument("--reason", required=True)

    outcomes = acts.add_parser("outcomes", help="hand in what came of predictions")
    outcomes.add_argument("model")
    outcomes.add_argument("file", type=Path, help="JSON lines; see docs/deployment.md")

    predict = acts.add_parser("predict", help="ask a verified version, without a server")
    predict.add_argument("model")
    predict.add_argument("rows", help="JSON list of rows {column: value}: a file, or - for stdin")
    predict.add_argument("--version", default="champion", help="number or alias (%(default)s)")

    for act in (start, decide):
        act.add_argument(
            "--agent", default="infrastructure-specialist", help="who acts (%(default)s)"
        )
    _add_json(start, status, decide, outcomes, predict)


def _add_runs(commands: Commands) -> None:
    acts = _add_acts(commands, "runs", "list, follow, cancel, resume and remove workflow runs")
    listed = acts.add_parser("list", help="the newest runs")
    listed.add_argument("--limit", type=int, default=20, help="how many (%(default)s)")
    listed.add_argument("--cursor", help="where the page before ended")
    listed.add_argument("--workflow", metavar="NAME", help="of this one; pipeline:NAME of a file's")
    listed.add_argument("--state", choices=RUN_STATES, help="in this state")
    listed.add_argument(
        "--all", action="store_true", help="looks and scheduled runs that succeeded, too"
    )
    show = acts.add_parser("show", help="one run's steps, progress and result")
    show.add_argument("--watch", action="store_true", help="follow it to its end")
    show.add_argument(
        "--picture", nargs="?", const="", metavar="FILE", help="its graph; as PNG into FILE"
    )
    cancel = acts.add_parser("cancel", help="stop a run; finished steps are kept")
    resume = acts.add_parser(
        "resume", help="let a cancelled or failed run go on; finished steps are not run again"
    )
    prune = acts.add_parser("prune", help="remove old runs now, as a worker does by itself")
    prune.add_argument("--older-than", metavar="AGE", help="12h, 90d, 8w (default: the settings')")
    prune.add_argument(
        "--keep", type=int, metavar="N", help="of each workflow, the newest (default: the setting)"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    logs = acts.add_parser("logs", help="what the workers have logged")
    logs.add_argument("run_id", nargs="?", metavar="RUN", help="only of this run")
    logs.add_argument(
        "--follow", action="store_true", help="and what comes, until RUN ends or Ctrl-C"
    )
    for act in (show, cancel, resume):
        act.add_argument("run_id", metavar="RUN", help="its run_id")
    _add_json(listed, show, cancel, resume, prune)


def _add_workflow(commands: Commands) -> None:
    acts = _add_acts(commands, "workflow", "check, run, schedule and export pipelines")
    acts.add_parser("steps", help="the steps that a pipeline may use, with inputs and outputs")
    validate = acts.add_parser("validate", help="name every fault of a pipeline; starts nothing")
    start = acts.add_parser("run", help="start a pipeline")
    start.add_argument("--watch", action="store_true", help="follow it to its end")
    start.add_argument("--key", help="a retry with the same key is not done twice")
    schedule = acts.add_parser("schedule", help="start a pipeline whenever it is due")
    schedule.add_argument("--cron", help="minute hour day month weekday (default: its schedule)")
    schedule.add_argument("--zone", default="UTC", help="IANA time zone (default %(default)s)")
    acts.add_parser("unschedule", help="start it no more").add_argument("name", metavar="NAME")
    acts.add_parser("schedules", help="what is scheduled, and when it is due")
    export = acts.add_parser("export", help="write it for another platform")
    export.add_argument(
        "--to", choices=["airflow", "kubeflow"], default="airflow", help="(default %(default)s)"
    )
    export.add_argument("--out", type=Path, metavar="PATH", help="default: standard output")
    for act in (validate, start, schedule, export):
        act.add_argument(
            "file", metavar="FILE", help="YAML or JSON inside the roots, or - for standard input"
        )
        act.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="again for more"
        )
    _add_json(start)


def _add_components(commands: Commands) -> None:
    acts = _add_acts(
        commands, "components", "list, show, reload and configure the parts of this system"
    )
    listed = acts.add_parser("list", help="all of them, by tier")
    listed.add_argument("--probe", action="store_true", help="load and probe each, in this process")
    show = acts.add_parser("show", help="load and probe one; its needs, cost and configuration")
    reload = acts.add_parser("reload", help="have servers that run build it anew")
    configure = acts.add_parser("configure", help="change what it is configured by")
    for act in (show, reload, configure):
        act.add_argument("name", metavar="NAME", help="as components list shows it")
    configure.add_argument("values", nargs="*", metavar="SETTING=VALUE")
    configure.add_argument(
        "--unset", action="append", default=[], metavar="SETTING", help="back to the environment's"
    )
    _add_json(listed, show)


def _add_events(commands: Commands) -> None:
    acts = _add_acts(commands, "events", "what happened, and who could not handle it")
    listed = acts.add_parser("list", help="the newest events, oldest first")
    tail = acts.add_parser("tail", help="what comes, until Ctrl-C")
    tail.add_argument("--for", type=float, dest="seconds", metavar="SECONDS", help="no longer")
    dead = acts.add_parser("dead", help="what a consumer gave up, newest first")
    dead.add_argument("consumer", nargs="?", help="only of this one")
    replay = acts.add_parser(
        "replay", help="let a consumer try dead letters again, or have events again"
    )
    replay.add_argument("consumer", help="its name, as events dead shows it")
    replay.add_argument("seqs", nargs="*", type=int, metavar="SEQ", help="only these dead letters")
    for act in (listed, tail):
        act.add_argument("--name", action="append", default=[], help="only events of this name")
    for act in (listed, tail, replay):
        act.add_argument("--after", type=int, metavar="SEQ", help="from this number on, without it")
    for act in (listed, dead):
        act.add_argument("--limit", type=int, default=20, help="how many (%(default)s)")
    for act in (listed, tail, dead):
        act.add_argument("--json", action="store_true", help="a JSON object a line")


def _add_audit(commands: Commands) -> None:
    acts = _add_acts(commands, "audit", "who decided or changed what others rely on")
    listed = acts.add_parser("list", help="the newest entries, oldest first")
    listed.add_argument("--limit", type=int, default=20, help="how many (%(default)s)")
    listed.add_argument("--actor", help="only of this agent or person")
    listed.add_argument("--subject", help="only about this, as alias:churn@production")
    verify = acts.add_parser("verify", help="whether no entry was changed; exit 1 if one was")
    verify.add_argument(
        "--noted", metavar="DIGEST", help="a head that was noted elsewhere and must still be there"
    )
    _add_json(listed, verify)


def _add_monitors(commands: Commands) -> None:
    acts = _add_acts(commands, "monitors", "what is watched, and the alerts about it")
    listed = acts.add_parser("list", help="every monitor and open alert; exit 2 if one is not well")
    show = acts.add_parser("show", help="what one does, its last looks and alerts")
    show.add_argument("--limit", type=int, default=10, help="how many of each (%(default)s)")
    run = acts.add_parser("run", help="let one look now")
    remove = acts.add_parser("remove", help="forget one; its alerts stay on record")
    remove.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    for act in (show, run, remove):
        act.add_argument("name")
    _add_json(listed, show, run, remove)


def _add_for_people(commands: Commands) -> None:
    """Add what a person looks at or decides."""
    memory = commands.add_parser("memory", help="write all memory as JSON, or read it back")
    memory.add_argument("action", choices=["export", "import"])
    memory.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="export: a file, or - for standard output (the default); import: an export, - for "
        "one from standard input, or a memory file or folder of the origin (default: "
        ".claude/memory)",
    )
    waiting = commands.add_parser("approvals", help="list what waits for a person's approval")
    waiting.add_argument("--all", action="store_true", help="decided, used and expired ones too")

    approve = commands.add_parser("approve", help="approve or reject one plan, as a person")
    approve.add_argument("id", metavar="ID")
    approve.add_argument("--reject", action="store_true", help="reject it")
    approve.add_argument("--reason", help="why; kept with the decision")

    override = commands.add_parser(
        "override", help="move an alias against its rules, as a person; kept in the history"
    )
    override.add_argument("model")
    override.add_argument("alias")
    override.add_argument("version", type=int)
    override.add_argument("--expect", type=int, metavar="VERSION", help="where it points now")
    override.add_argument("--reason", required=True, help="why; kept in the history")

    commands.add_parser("health", help="probe every component and say how it is")

    doctor = commands.add_parser("doctor", help="find faults of this installation; changes nothing")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument("--port", type=int, help="a port that --transport http is meant to use")
