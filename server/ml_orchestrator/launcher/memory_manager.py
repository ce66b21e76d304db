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
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

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
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def ask(self, *request: Any) -> Any:
        line = json.dumps(request) + "\n"
        with self._lock:
            process = self._running()
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except OSError:
                said = ""
            else:
                said = process.stdout.readline()
        if not said:
            raise RuntimeError(f"{PYTHON} ended before it had answered; see standard error.")
        answer = json.loads(said)
        return answer["result"] if "result" in answer else _refuse(**answer)

    def _running(self) -> subprocess.Popen[str]:
        """Return this process's helper; a fork gets its own."""
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [PYTHON, "-I", "-m", "ml_orchestrator.agent_memory"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"CLAUDE_PROJECT_DIR": str(_PROJECT), **SETTINGS, **os.environ},
                encoding="utf-8",
            )
        return self._process

    def close(self) -> None:
        """End it, as it ends by itself when its input does."""
        if self._process is not None and self._owner == os.getpid():
            self._process.communicate()


_helper = _Helper()
atexit.register(_helper.close)


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
