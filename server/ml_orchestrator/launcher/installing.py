"""Puts the packages of a lock file into a new virtual environment, with uv or with pip."""

from __future__ import annotations

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ml_orchestrator.launcher.environs import installer_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Report = Callable[[str], None]

__all__ = ["NOBODYS_FOLDER", "Installer", "SetupError", "venv_python"]

# Where installers run. The client's working directory is the project, whose modules, uv.toml or
# .python-version they would use; of a folder further down they read the parents, too.
NOBODYS_FOLDER = "/"

OLDEST, NEWEST = (3, 11), (3, 13)
TICK_S = 1.0
NEEDED_GB = 2
LEAST_BYTES = 20_000_000  # less than this left when an installer gives up: that is why
# Wheels only: building a package would run its code, and needs compilers.
_AS_LOCKED = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "-r")
_VERSIONS = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|os error 28\b", re.IGNORECASE)
_NO_NETWORK = re.compile(
    r"Failed to establish a new connection|name resolution|Connection (refused|reset)|dns error"
    r"|Network is unreachable|timed out|ProxyError|error sending request|No matching distribution"
    r"|Failed to fetch|no usable wheels"
    r"|not found in the (package registry|provided package locations)",
    re.IGNORECASE,
)
_CHECK = f"import sys, venv, ensurepip; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def venv_python(venv: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return venv / "bin" / "python"


class Installer:
    """Runs the programs that install, one at a time, and can be stopped from another thread."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._stopped = False

    def install(self, lock: Path, venv: Path, *, guard: int, report: Report) -> None:
        """Make ``venv`` and install the packages of ``lock`` into it, hashes checked.

        Args:
            lock: A requirements file with a hash for every package; absolute, as is ``venv``.
            venv: Where; nothing may be there.
            guard: A descriptor the programs keep open: whoever locks it waits for them too.
            report: Told what is being done, about every second.

        Raises:
            SetupError: no way worked; the message is about the last one tried.
        """
        reason = _no_python()
        for commands in _ways(lock, venv):
            failed = self._run_all(commands, _n_packages(lock), guard, report)
            if failed is None:
                return
            reason = _explain(*failed, n_bytes_free=shutil.disk_usage(venv.parent).free)
            shutil.rmtree(venv, ignore_errors=True)
        raise SetupError(reason)

    def stop(self) -> None:
        """End what is running; nothing else will be started."""
        with self._starting:  # what is being started is ended too
            self._stopped = True
        if self._running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGTERM)

    def _run_all(
        self, commands: Sequence[Sequence[str]], n_packages: int, guard: int, report: Report
    ) -> tuple[str, str] | None:
        """Run programs one after the other; return the one that failed and what it said."""
        for command in commands:
            status, said = self._run(command, n_packages, guard, report)
            if status != 0:
                return Path(command[0]).name, said or f"exit status {status}"
        return None

    def _run(
        self, command: Sequence[str], n_packages: int, guard: int, report: Report
    ) -> tuple[int, str]:
        with self._starting:
            if self._stopped:
                raise SetupError("The session has ended.")
            try:
                process = self._running = _started(command, guard)
            except OSError as error:  # no program for this machine; another way may have one
                return 126, str(error)
        follower = _Follower(process, n_packages)
        follower.start()
        while follower.is_alive():
            report(f"Installing Python packages, on the first start only: {follower.step}")
            follower.join(TICK_S)
        return process.wait(), " ".join("".join(follower.said).split()[-40:])


def _started(command: Sequence[str], guard: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=NOBODYS_FOLDER,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=installer_environment(os.environ),
        pass_fds=[guard],
        start_new_session=True,
    )


class _Follower(threading.Thread):
    """Reads what an installer says until it ends."""

    def __init__(self, process: subprocess.Popen[str], n_packages: int) -> None:
        super().__init__(daemon=True)
        self._output = process.stdout
        self._n_packages, self._n_fetched = n_packages, 0
        self.step = "preparing"
        self.said: collections.deque[str] = collections.deque(maxlen=40)

    def run(self) -> None:
        assert self._output
        for line in self._output:
            self.said.append(line)
            if line.startswith(("Collecting ", "Processing ", "Downloading ")):
                self._n_fetched = min(self._n_fetched + 1, self._n_packages)
                self.step = f"fetching {self._n_fetched} of {self._n_packages}"
            elif line.startswith(("Installing collected", "Prepared ")):
                self.step = "unpacking"


def _n_packages(lock: Path) -> int:
    return sum("==" in line for line in lock.read_text("utf-8").splitlines())


def _ways(lock: Path, venv: Path) -> Iterator[list[list[str]]]:
    """Yield the commands of each way to install that this machine has, best first."""
    target = str(venv_python(venv))
    if uv := _program("uv"):
        wanted = f">={OLDEST[0]}.{OLDEST[1]},<{NEWEST[0]}.{NEWEST[1] + 1}"
        install = [uv, "pip", "install", "--python", target, "--compile-bytecode"]
        yield [
            [uv, "venv", "--quiet", "--python", wanted, str(venv)],
            [*install, *_AS_LOCKED, str(lock)],
        ]
    if python := _suitable_python():
        pip = [target, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        yield [
            [python, "-I", "-m", "venv", str(venv)],
            [*pip, "--progress-bar", "off", *_AS_LOCKED, str(lock)],
        ]


def _suitable_python() -> str | None:
    """Return an interpreter of a supported version that can make environments."""
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    named = (_program(name) for name in (*(f"python3.{m}" for m in minors), "python3"))
    for python in filter(None, (sys.executable, *named)):
        with suppress(OSError, subprocess.TimeoutExpired):
            checked = subprocess.run(
                [python, "-I", "-c", _CHECK],
                cwd=NOBODYS_FOLDER,
                env=installer_environment(os.environ),
                capture_output=True,
                timeout=30,
                check=False,
            )
            if checked.returncode == 0:
                return python
    return None


def _program(name: str) -> str | None:
    """Find a program on PATH, but for its relative entries: they lie in the project."""
    folders = (folder for folder in os.get_exec_path() if Path(folder).is_absolute())
    return shutil.which(name, path=os.pathsep.join(folders))


def _no_python() -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    return (
        f"ml-orchestrator needs Python {_VERSIONS} with its venv module, or uv, on PATH; "
        f"found Python {found}. Install one of them (on Debian and Ubuntu: python3-venv) and "
        "call the tool again."
    )


def _explain(program: str, said: str, *, n_bytes_free: int) -> str:
    if _NO_SPACE.search(said) or n_bytes_free < LEAST_BYTES:
        cause = f"the disk is full. About {NEEDED_GB} GB are needed: make room"
    elif _NO_NETWORK.search(said):
        cause = (
            "the package index cannot be reached, or has nothing for this machine (all packages "
            "have wheels for Linux with glibc on x86-64 and ARM, and for macOS on ARM). Go online"
        )
    else:
        cause = "the installer failed. Repair what it names"
    return (
        f"The Python packages of ml-orchestrator could not be installed: {cause} and call the "
        f"tool again; nothing has to be restarted. {program} said: {said}"
    )
