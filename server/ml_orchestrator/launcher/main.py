"""Listens to the client: the first line is answered before anything else is even imported."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ml_orchestrator.launcher.manifest import Manifest
from ml_orchestrator.launcher.session import Session
from ml_orchestrator.launcher.wire import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence

    from ml_orchestrator.launcher.keeper import Keeper

__all__ = ["OPTIONS", "adopt_options", "main"]

# What a person may be asked for when the plug-in is installed; names of settings.
OPTIONS = ("home", "tracking_uri", "database_url", "mode")
_SETTING = "ML_ORCHESTRATOR_"


def main(root: Path, arguments: Sequence[str]) -> None:
    """Serve the client on standard input and output until it ends.

    Args:
        root: The plug-in's folder.
        arguments: Passed on to ``ml-orchestrator mcp``.
    """
    signal.signal(signal.SIGTERM, _end)
    adopt_options(os.environ)
    session = Session(_manifest(root, arguments, os.environ), Output(sys.stdout.buffer))
    lines = sys.stdin.buffer
    first = lines.readline()
    if not first:
        return
    session.receive(first)
    keeper = _keeper(root, arguments, session)
    try:  # from here on a signal to end ends the installer too
        keeper.start()
        with _hooks_heard(session):
            for line in lines:
                session.receive(line)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.write("ml-orchestrator: the client has gone\n")
    finally:
        keeper.close()


def adopt_options(environ: MutableMapping[str, str]) -> None:
    """Turn the plug-in's options into settings, unless the environment has them already.

    Where ``.mcp.json`` is read by something else than the plug-in system, a place holder stands
    in for the value; it counts as not given.
    """
    for name in OPTIONS:
        given = environ.pop(f"{_SETTING}OPTION_{name.upper()}", "")
        variable = _SETTING + name.upper()
        is_set = environ.get(variable) or (
            name == "tracking_uri" and environ.get("MLFLOW_TRACKING_URI")
        )
        if given and not given.startswith("${") and not is_set:
            environ[variable] = given


def _keeper(root: Path, arguments: Sequence[str], session: Session) -> Keeper:
    # Their imports take as long as everything up to the first answer.
    from ml_orchestrator.launcher.door import put_door  # noqa: PLC0415
    from ml_orchestrator.launcher.keeper import Keeper  # noqa: PLC0415

    def on_ready(python: Path) -> None:
        if not _reads_only(arguments, os.environ):
            put_door(python, os.environ)

    return Keeper(root, _data_folder(os.environ), arguments, session, on_ready)


@contextmanager
def _hooks_heard(session: Session) -> Iterator[None]:
    """Listen for hooks that are programs."""
    # Their imports take as long as everything up to the first answer.
    import socket  # noqa: PLC0415

    if not hasattr(socket, "AF_UNIX"):
        yield
        return
    from ml_orchestrator.launcher.hook_listener import HookListener  # noqa: PLC0415
    from ml_orchestrator.launcher.hook_place import socket_of  # noqa: PLC0415

    listener = HookListener(session, socket_of(os.getppid(), os.environ))
    listener.start()
    try:
        yield
    finally:
        listener.close()


def _end(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def _manifest(root: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> Manifest:
    return Manifest.read(
        root / "bin" / "manifest.json",
        reads_only=_reads_only(arguments, environ),
        lists_hold=not environ.get("ML_ORCHESTRATOR_PLUGINS"),
    )


def _reads_only(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    mode = environ.get("ML_ORCHESTRATOR_MODE", "")
    if "--mode" in arguments:
        mode = [*arguments, ""][arguments.index("--mode") + 1]
    return mode == "read-only"


def _data_folder(environ: Mapping[str, str]) -> Path:
    """Return where environments are kept: the plug-in's data folder, else the user's."""
    if given := environ.get("CLAUDE_PLUGIN_DATA"):
        return Path(given)
    shared = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(shared).expanduser() / "ml-orchestrator"
