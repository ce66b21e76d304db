"""What each command of ``ml-orchestrator`` does; it loads only what it needs.

An act returns the exit code of its command; an expected failure leaves it as a typed error.
"""

import argparse
import gc
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ml_orchestrator.datasets.paths import resolve_allowed
from ml_orchestrator.datasets.source_names import BUILTIN_PREFIX
from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.process import exporting

if TYPE_CHECKING:  # loaded by the acts that need them
    from ml_orchestrator.orchestration.people import EnterAct
    from ml_orchestrator.registry.keys import Keyring

__all__ = [
    "Act",
    "approvals",
    "approve",
    "audit",
    "call",
    "components",
    "deploy",
    "doctor",
    "events",
    "health",
    "keys",
    "mcp",
    "memory",
    "monitors",
    "override",
    "registry",
    "runs",
    "serve",
    "step",
    "train",
    "worker",
    "workflow",
]

Act: TypeAlias = Callable[[argparse.Namespace, Settings], int]


def mcp(arguments: argparse.Namespace, settings: Settings) -> int:
    """Answer MCP until the client leaves or the process is stopped."""
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


def worker(arguments: argparse.Namespace, settings: Settings) -> int:
    """Execute workflows until idle, or see to those that do."""
    _check_worker(arguments)
    if arguments.act != "run":
        return _loaded("working:run_working")(arguments, settings)
    gc.disable()  # see mcp: who takes over from a dead worker is waited for
    from ml_orchestrator.orchestration.worker import run_worker

    gc.freeze()
    gc.enable()

    with exporting("worker", os.environ):
        run_worker(settings, is_beside=arguments.beside)
    return 0


def _check_worker(arguments: argparse.Namespace) -> None:
    """Refuse an option of another act, which would change nothing."""
    if arguments.now and arguments.act not in ("stop", "restart"):
        raise InvalidInputError(
            f"--now is of stop and restart: it cuts the steps under way off. `worker "
            f"{arguments.act}` ends none; type: {program()} worker stop --now"
        )
    if arguments.beside and arguments.act != "run":
        raise InvalidInputError(
            f"--beside is of run: it begins one more worker. `worker {arguments.act}` is about all "
            f"of this machine, and restart begins as many as it ends; type: {program()} worker "
            "--beside"
        )


def serve(arguments: argparse.Namespace, settings: Settings) -> int:
    """Answer predictions of a model until stopped, or stop who does."""
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


def step(arguments: argparse.Namespace, _: Settings) -> int:
    """Run one step for the worker that started this process."""
    from ml_orchestrator.orchestration.worker import run_step_child

    with exporting("step", os.environ):
        return run_step_child(arguments.rest)


def keys(arguments: argparse.Namespace, settings: Settings) -> int:
    """List, export, rotate, trust or revoke keys, or sign a version."""
    from ml_orchestrator.orchestration.people import audited, open_keyring

    keyring = open_keyring(settings)
    if arguments.act in ("list", "export"):
        _show_keys(keyring, arguments.act)
        return 0
    with audited(settings) as enter:
        _change_keys(keyring, arguments, settings, enter)
    return 0


def _show_keys(keyring: "Keyring", act: str) -> None:
    if act == "export":
        print(keyring.public_pem(), end="")
        return
    if not keyring.known():
        print("No keys yet; the first registration makes one.")
    for key in keyring.known():
        state = "revoked" if key.is_revoked else "signs" if key.signs else "trusted"
        print(f"{key.fingerprint}  {state}")


def _change_keys(
    keyring: "Keyring", arguments: argparse.Namespace, settings: Settings, enter: "EnterAct"
) -> None:
    match arguments.act:
        case "rotate":
            enter("key.rotated", f"key:{(name := keyring.rotate())}")
            print(f"{name} signs from now on; the old key stays trusted.")
        case "trust":
            enter("key.trusted", f"key:{(name := keyring.trust(arguments.file))}")
            print(f"{name} is trusted.")
        case "revoke":
            enter("key.revoked", f"key:{(name := keyring.revoke(arguments.fingerprint))}")
            print(f"{name} counts no more.")
        case "sign":
            from ml_orchestrator.orchestration.desk import registry_for_a_step

            with registry_for_a_step(settings) as desk:
                report = desk.vault.sign(arguments.model, arguments.version)
            enter("version.signed", f"model:{report.model}/{report.version}")
            print(f"Version {report.version} of {report.model} is signed: {report.manifest_digest}")


def _loaded(target: str) -> Act:
    """Return an act that is loaded when it is done: ``module:function`` of this package."""
    module, function = target.split(":")

    def act(arguments: argparse.Namespace, settings: Settings) -> int:
        done: Act = getattr(import_module(f"ml_orchestrator.{module}"), function)
        return done(arguments, settings)

    return act


registry = _loaded("calling.acts:run_registry")
runs = _loaded("running:run_runs")
components = _loaded("composing:run_components")
events = _loaded("eventing:run_events")
audit = _loaded("auditing:run_audit")
monitors = _loaded("monitoring:run_monitors")


def call(arguments: argparse.Namespace, settings: Settings) -> int:
    """Call a tool; a file of arguments that is not there is told before the server is loaded."""
    _check_is_there(_named_by_at(arguments.json))
    return _loaded("calling.acts:run_call")(arguments, settings)


def train(arguments: argparse.Namespace, settings: Settings) -> int:
    """Start a training; data that are not there are told before the server is loaded."""
    if not arguments.data.startswith(BUILTIN_PREFIX):
        resolve_allowed(arguments.data, settings.roots)
    return _loaded("calling.acts:run_train")(arguments, settings)


def deploy(arguments: argparse.Namespace, settings: Settings) -> int:
    """See to roll-outs; a file that is not there is told before anything is loaded."""
    match arguments.act:
        case "start":
            _check_is_there(_named_by_at(arguments.spec))
        case "outcomes":
            _check_is_there(arguments.file)
        case "predict" if arguments.rows != "-":
            _check_is_there(arguments.rows)
    return _loaded("deploying:run_deploy")(arguments, settings)


def workflow(arguments: argparse.Namespace, settings: Settings) -> int:
    """See to pipelines; a file is read, once, before the steps are loaded."""
    if (file := getattr(arguments, "file", "-")) != "-":
        from ml_orchestrator.orchestration.pipelines.reading import read_spec

        arguments.spec = read_spec(file, settings)
    return _loaded("pipelining:run_pipelining")(arguments, settings)


def _named_by_at(given: str | None) -> str | None:
    """Return the file that ``@FILE`` names; None for anything else."""
    return given[1:] if given is not None and given.startswith("@") else None


def _check_is_there(path: str | Path | None) -> None:
    """Refuse the path of a file that is not there.

    Raises:
        NotFoundError: nothing is.
    """
    if path is not None and not os.path.exists(path):  # noqa: PTH110 says so of odd names, too
        raise NotFoundError(f"No file {str(path)[:80]!r}; looked at {Path(path).absolute()}.")


def memory(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write all memory as JSON, or read it back."""
    from ml_orchestrator.agent_memory import AgentMemoryManager

    with AgentMemoryManager(settings.home) as manager:
        if arguments.action == "export":
            _export(manager.export_memory(), arguments.path)
            return 0
        with _memory_at(arguments.path, settings) as path:
            done = manager.import_memory(path)
    for line in (*done["notes"], *(f"skipped {fault}" for fault in done["skipped"])):
        print(line, file=sys.stderr)
    print(f"{done['n_added']} records added, {done['n_known']} known already")
    return 1 if done["skipped"] else 0


@contextmanager
def _memory_at(given: str | None, settings: Settings) -> Iterator[Path]:
    """Give the path that memory is read from; what comes by standard input is a file meanwhile."""
    import tempfile

    if given != "-":
        yield settings.project_dir / ".claude/memory" if given is None else Path(given)
        return
    with tempfile.TemporaryDirectory(prefix="ml-memory-") as folder:
        path = Path(folder) / "standard input"
        path.write_bytes(sys.stdin.buffer.read())
        yield path


def _export(content: dict[str, Any], path: str | None) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    if path is None or path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(f"{text}\n".encode())  # UTF-8 everywhere, as import reads it
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error
    print(f"{len(content['records'])} records written to {path}")


def health(_: argparse.Namespace, settings: Settings) -> int:
    """Probe every component and print how it is."""
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


def doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    """Find faults of this installation."""
    from ml_orchestrator.doctoring.rounds import doctor

    return doctor(settings, port=arguments.port, as_json=arguments.json)


def approvals(arguments: argparse.Namespace, settings: Settings) -> int:
    """List what waits for a person."""
    from ml_orchestrator.approving import list_approvals

    return list_approvals(settings, everything=arguments.all)


def approve(arguments: argparse.Namespace, settings: Settings) -> int:
    """Decide on one plan, as a person."""
    from ml_orchestrator.approving import decide

    verdict: Literal["approved", "rejected"] = "rejected" if arguments.reject else "approved"
    return decide(settings, arguments.id, verdict, reason=arguments.reason)


def override(arguments: argparse.Namespace, settings: Settings) -> int:
    """Move an alias against its rules, as a person."""
    from ml_orchestrator.approving import override

    asked = (arguments.model, arguments.alias.removeprefix("@"), arguments.version)
    return override(settings, *asked, expected=arguments.expect, reason=arguments.reason)
