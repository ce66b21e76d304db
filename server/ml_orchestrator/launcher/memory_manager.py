"""The names that agent definitions import, for any Python: the plug-in's own does the work.

The launcher puts a copy of this file, with its three facts filled in, into the projects that
the plug-in serves (``launcher.door``). In the plug-in's own repository it is used as it stands.
Runs in the project's Python, 3.8 on, with nothing but the standard library.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AgentMemoryManager",
    "load_my_memory",
    "load_shared_context",
    "save_my_memory",
    "send_message_to_agents",
]

PYTHON = str(Path(__file__).resolve().parents[3] / ".venv" / "bin" / "python")
SETTINGS: Mapping[str, str] = {}  # what the plug-in's server was told
SECRETS: Sequence[str] = ()  # what it was told besides, and does not stand here

_PROJECT = Path(__file__).absolute().parents[2]
_PART_BYTES = 65_536
_END_LIMIT_S = 2.0  # a process that nobody asks ends at once, unless others hold its input open
_ERRORS = {error.__name__: error for error in (AttributeError, LookupError, TypeError, ValueError)}

if not os.access(PYTHON, os.X_OK):
    raise ImportError(
        f"{PYTHON} is not there, which does the work of memory_manager. Start a session of "
        "Claude Code with the ml-orchestrator plug-in in this project (in the plug-in's own "
        "repository: make setup), or run code in an environment that has the package, from "
        "ml_orchestrator.agent_memory."
    )
if _missing := [name for name in SECRETS if not os.environ.get(name)]:
    raise ImportError(
        f"The memory of this project is where {', '.join(_missing)} says, and this process has "
        "no such variable. The plug-in does not write it into files: set it, and import again."
    )


class _Helper:
    """A process of the Python that has the package, asked line by line; begun on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, *request: Any) -> Any:
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            process = self._running()
            try:
                answer = json.loads(_exchange(process, line))
            except BaseException:
                self._process = None  # it may answer yet, and the next to ask would get that
                _end(process, limit_s=0)
                raise
        return answer["result"] if "result" in answer else _refuse(**answer)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [PYTHON, "-I", "-m", "ml_orchestrator.agent_memory"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"CLAUDE_PROJECT_DIR": str(_PROJECT), **SETTINGS, **os.environ},
                bufsize=0,  # buffers have locks and content, which a fork would inherit
            )
        return self._process

    def forget(self) -> None:
        """Leave the process to the parent, in a fork, where it and the lock may be in use."""
        self._lock = threading.Lock()
        process, self._process = self._process, None
        if process is not None:
            process.returncode = 0  # it is no child of this process, which so does not wait for it
            _close(process.stdin, process.stdout)

    def close(self) -> None:
        """End it, as it ends by itself when its input does."""
        process, self._process = self._process, None
        if process is not None:
            _end(process, limit_s=_END_LIMIT_S)


def _exchange(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Return the line that answers a line."""
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError):
        while line:
            line = line[process.stdin.write(line) :]
    said = bytearray()
    while not said.endswith(b"\n"):
        part = process.stdout.read(_PART_BYTES)
        if not part:
            raise RuntimeError(f"{PYTHON} ended before it had answered; see standard error.")
        said += part
    return bytes(said)


def _end(process: subprocess.Popen[bytes], *, limit_s: float) -> None:
    """Close the input of a process; kill it if it has not ended by then."""
    _close(process.stdin)
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _close(process.stdout)


def _close(*streams: IO[bytes] | None) -> None:
    for stream in streams:
        if stream is not None:
            stream.close()


_helper = _Helper()
atexit.register(_helper.close)
os.register_at_fork(after_in_child=_helper.forget)


class AgentMemoryManager:
    """Memory and messages of the agents of one project.

    Methods are those of ``ml_orchestrator.agent_memory.AgentMemoryManager``. What they refuse
    raises ValueError, LookupError or RuntimeError with its text.
    """

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        self._home = None if home is None else os.fspath(home)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **named: _helper.ask(self._home, name, args, named)

    def __enter__(self) -> AgentMemoryManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: each call opens the store and closes it."""


def _refuse(kind: str, error: str) -> NoReturn:
    raise _ERRORS.get(kind, RuntimeError)(error)


def load_my_memory(agent_name: str) -> Any:
    """Return one agent's memory."""
    return AgentMemoryManager().load_agent_memory(agent_name)


def save_my_memory(agent_name: str, memory: Mapping[str, Any]) -> None:
    """Store what ``memory`` holds and the store does not."""
    AgentMemoryManager().save_agent_memory(agent_name, memory)


def load_shared_context() -> Any:
    """Return what all agents share."""
    return AgentMemoryManager().load_shared_context()


def send_message_to_agents(
    from_agent: str,
    message_type: str,
    content: str,
    target_agents: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    """Send a message and return its id."""
    return AgentMemoryManager().add_inter_agent_message(
        from_agent, message_type, content, target_agents, metadata
    )
