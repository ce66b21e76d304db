"""The command line: ``ml-orchestrator COMMAND``."""

import argparse
import gc
import json
import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ml_orchestrator import __version__
from ml_orchestrator.errors import ConflictError, InvalidInputError, OrchestratorError
from ml_orchestrator.logs import log_to_stderr
from ml_orchestrator.settings import DEFAULT_PORT, Settings
from ml_orchestrator.telemetry.process import exporting

__all__ = ["main"]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; expected failures end with one clear line and exit code 1."""
    _open_standard_streams()
    arguments = _parser().parse_args(argv)
    try:
        settings = Settings.read(home=arguments.home, mode=getattr(arguments, "mode", None))
        log_to_stderr(settings.log_level)
        code = arguments.run(arguments, settings)
    except OrchestratorError as error:
        print(f"ml-orchestrator: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:  # how following something ends
        code = 130
    sys.exit(code)


def _open_standard_streams() -> None:
    """Open those that were closed when we were started, or the next file would get their number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_servers(commands)
    _add_keys(commands)
    _add_deploy(commands)
    _add_runs(commands)
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
    serve.set_defaults(run=_mcp)

    worker = commands.add_parser("worker", help="execute workflows until idle")
    worker.set_defaults(run=_worker)

    model = commands.add_parser("serve", help="answer predictions of a model over HTTP")
    model.add_argument("--model", required=True, help="name of the registered model")
    model.add_argument("--version", type=int, help="which version; it stays, unless with --alias")
    model.add_argument("--alias", help="the alias to follow (default: champion)")
    model.add_argument("--host", default="127.0.0.1", help="address (default %(default)s)")
    model.add_argument("--port", type=int, default=0, help="port (default 0: any free one)")
    model.add_argument(
        "--follow", type=float, metavar="SECONDS", help="look for moves (default 10)"
    )
    model.add_argument("--isolate", action="store_true", help="the model in a process of its own")
    model.add_argument("--allow-network", action="store_true", help="other machines may ask")
    model.add_argument("--stop", action="store_true", help="stop the server that runs")
    model.set_defaults(run=_serve)

    step = commands.add_parser("step")  # not for people: the worker starts it
    step.add_argument("rest", nargs=argparse.REMAINDER)
    step.set_defaults(run=_step)


def _add_keys(commands: Commands) -> None:
    keys = commands.add_parser("keys", help="keys that sign registered models")
    acts = keys.add_subparsers(title="keys", required=True, metavar="ACT", dest="act")
    acts.add_parser("list", help="known keys: which one signs, is trusted or revoked")
    acts.add_parser("export", help="print the public key, for colleagues to trust")
    acts.add_parser("rotate", help="make a new signing key; the old one stays trusted")
    acts.add_parser("trust", help="trust a colleague's public key").add_argument("file", type=Path)
    revoke = acts.add_parser("revoke", help="let a key's signatures count no more")
    revoke.add_argument("fingerprint", help="at least its first 8 characters")
    sign = acts.add_parser("sign", help="vouch for a version that is not signed, as it is now")
    sign.add_argument("model")
    sign.add_argument("version", type=int)
    keys.set_defaults(run=_keys)


def _add_deploy(commands: Commands) -> None:
    deploy = commands.add_parser("deploy", help="roll a version out, follow it, decide on it")
    acts = deploy.add_subparsers(title="acts", required=True, metavar="ACT", dest="act")

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
    for act in (start, status, decide, outcomes, predict):
        act.add_argument("--json", action="store_true", help="print the record as JSON")
    deploy.set_defaults(run=_deploy)


def _add_runs(commands: Commands) -> None:
    runs = commands.add_parser("runs", help="list, follow, cancel and resume workflow runs")
    acts = runs.add_subparsers(title="acts", required=True, metavar="ACT", dest="act")
    listed = acts.add_parser("list", help="the newest runs")
    listed.add_argument("--limit", type=int, default=20, help="how many (%(default)s)")
    listed.add_argument("--cursor", help="where the page before ended")
    show = acts.add_parser("show", help="one run's steps, progress and result")
    show.add_argument("--watch", action="store_true", help="follow it to its end")
    cancel = acts.add_parser("cancel", help="stop a run; finished steps are kept")
    resume = acts.add_parser(
        "resume", help="let a cancelled or failed run go on; finished steps are not run again"
    )
    logs = acts.add_parser("logs", help="what the workers have logged")
    logs.add_argument("run_id", nargs="?", metavar="RUN", help="only of this run")
    logs.add_argument("--follow", action="store_true", help="and what comes, until Ctrl-C")
    for act in (show, cancel, resume):
        act.add_argument("run_id", metavar="RUN", help="its run_id")
    for act in (listed, show, cancel, resume):
        act.add_argument("--json", action="store_true", help="print the record as JSON")
    runs.set_defaults(run=_runs)


def _add_for_people(commands: Commands) -> None:
    """Add what a person looks at or decides."""
    memory = commands.add_parser("memory", help="write all memory as JSON, or read it back")
    memory.add_argument("action", choices=["export", "import"])
    memory.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="export: a file (default: standard output); import: an export, or a memory file or "
        "folder of the origin (default: .claude/memory)",
    )
    memory.set_defaults(run=_memory)
    waiting = commands.add_parser("approvals", help="list what waits for a person's approval")
    waiting.add_argument("--all", action="store_true", help="decided, used and expired ones too")
    waiting.set_defaults(run=_approvals)

    approve = commands.add_parser("approve", help="approve or reject one plan, as a person")
    approve.add_argument("id", metavar="ID")
    approve.add_argument("--reject", action="store_true", help="reject it")
    approve.add_argument("--reason", help="why; kept with the decision")
    approve.set_defaults(run=_approve)

    override = commands.add_parser(
        "override", help="move an alias against its rules, as a person; kept in the history"
    )
    override.add_argument("model")
    override.add_argument("alias")
    override.add_argument("version", type=int)
    override.add_argument("--expect", type=int, metavar="VERSION", help="where it points now")
    override.add_argument("--reason", required=True, help="why; kept in the history")
    override.set_defaults(run=_override)

    health = commands.add_parser("health", help="probe every component and say how it is")
    health.set_defaults(run=_health)

    doctor = commands.add_parser("doctor", help="find faults of this installation; changes nothing")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument("--port", type=int, help="a port that --transport http is meant to use")
    doctor.set_defaults(run=_doctor)


def _mcp(arguments: argparse.Namespace, settings: Settings) -> int:
    gc.disable()  # while modules are loaded there is nothing to collect and much to walk through
    from ml_orchestrator.app import build_server, serve_http

    with exporting("server", os.environ):
        server = build_server(settings, warm_up=True)
        gc.freeze()
        gc.enable()
        if arguments.transport == "stdio":
            server.run("stdio")
        else:
            serve_http(server, arguments.host, arguments.port)
    return 0


def _worker(_: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.orchestration.worker import run_worker

    with exporting("worker", os.environ):
        run_worker(settings)
    return 0


def _serve(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.orchestration.model_server import ServeOptions, serve_model
    from ml_orchestrator.serving.launch import ALREADY_SERVED, stop_server

    if arguments.stop:
        stopped = stop_server(settings, arguments.model)
        print(f"{'Stopped the' if stopped else 'There is no'} server of {arguments.model}.")
        return 0
    options = ServeOptions(
        model=arguments.model,
        version=arguments.version,
        alias=arguments.alias,
        host=arguments.host,
        port=arguments.port,
        follow_s=arguments.follow,
        isolate=arguments.isolate,
        allow_network=arguments.allow_network,
    )
    try:
        with exporting("serving", os.environ):
            serve_model(settings, options, on_ready=partial(_say_where, arguments.model))
    except ConflictError as error:
        print(f"ml-orchestrator: {error}", file=sys.stderr)
        return ALREADY_SERVED
    return 0


def _say_where(model: str, url: str, version: int, example: bytes) -> None:
    """Tell a person how to ask the server; programs read the address file."""
    body = shlex.quote(_one_row(example))
    print(
        f"Version {version} of {model} answers at {url}/invocations, for example:\n"
        f"  curl {url}/invocations -H 'Content-Type: application/json' -d {body}\n"
        f"Also {url}/ping, /version and /metrics. Ctrl-C stops it.",
        flush=True,
    )


def _one_row(example: bytes) -> str:
    """Return a body with the first row of an example; as it is where it has no rows."""
    content = json.loads(example or b"{}")
    if isinstance(split := content.get("dataframe_split"), dict):
        content["dataframe_split"] = {"columns": split["columns"], "data": split["data"][:1]}
    return json.dumps(content)


def _step(arguments: argparse.Namespace, _: Settings) -> int:
    from ml_orchestrator.orchestration.worker import run_step_child

    with exporting("step", os.environ):
        return run_step_child(arguments.rest)


def _keys(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.orchestration.people import open_keyring

    keyring = open_keyring(settings)
    match arguments.act:
        case "list":
            if not keyring.known():
                print("No keys yet; the first registration makes one.")
            for key in keyring.known():
                state = "revoked" if key.is_revoked else "signs" if key.signs else "trusted"
                print(f"{key.fingerprint}  {state}")
        case "export":
            print(keyring.public_pem(), end="")
        case "rotate":
            print(f"{keyring.rotate()} signs from now on; the old key stays trusted.")
        case "trust":
            print(f"{keyring.trust(arguments.file)} is trusted.")
        case "revoke":
            print(f"{keyring.revoke(arguments.fingerprint)} counts no more.")
        case "sign":
            from ml_orchestrator.orchestration.desk import registry_for_a_step

            with registry_for_a_step(settings) as desk:
                report = desk.vault.sign(arguments.model, arguments.version)
            print(f"Version {report.version} of {report.model} is signed: {report.manifest_digest}")
    return 0


def _deploy(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.deploying import run_deploy

    return run_deploy(arguments, settings)


def _runs(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.running import run_runs

    return run_runs(arguments, settings)


def _memory(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.agent_memory import AgentMemoryManager

    with AgentMemoryManager(settings.home) as manager:
        if arguments.action == "export":
            _export(manager.export_memory(), arguments.path)
            return 0
        done = manager.import_memory(arguments.path or settings.project_dir / ".claude/memory")
    for line in (*done["notes"], *(f"skipped {fault}" for fault in done["skipped"])):
        print(line, file=sys.stderr)
    print(f"{done['n_added']} records added, {done['n_known']} known already")
    return 1 if done["skipped"] else 0


def _export(content: dict[str, Any], path: Path | None) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    if path is None:
        print(text)
        return
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error
    print(f"{len(content['records'])} records written to {path}")


def _health(_: argparse.Namespace, settings: Settings) -> int:
    import anyio

    from ml_orchestrator.app import build_services

    report = anyio.run(build_services(settings).monitoring.health, "detailed")
    for part in report.components:
        took = "" if part.probe_ms is None else f"  ({part.probe_ms:.0f} ms)"
        print(f"{part.state:<11} {part.kind:<9}  {part.name:<26} {part.detail}{took}")
    for process in report.processes:
        state = "ready" if process.is_ready else "live" if process.is_live else "dead"
        print(f"{state:<11} process    {process.name:<26} {process.reason} ({process.pid})")
    print(f"\n{report.status}: {report.data_directory}, version {report.version}, {report.mode}")
    return 0 if report.status == "healthy" else 1


def _doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.doctoring.rounds import doctor

    return doctor(settings, port=arguments.port, as_json=arguments.json)


def _approvals(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.approving import list_approvals

    return list_approvals(settings, everything=arguments.all)


def _approve(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.approving import decide

    verdict: Literal["approved", "rejected"] = "rejected" if arguments.reject else "approved"
    return decide(settings, arguments.id, verdict, reason=arguments.reason)


def _override(arguments: argparse.Namespace, settings: Settings) -> int:
    from ml_orchestrator.approving import override

    asked = (arguments.model, arguments.alias.removeprefix("@"), arguments.version)
    return override(settings, *asked, expected=arguments.expect, reason=arguments.reason)
