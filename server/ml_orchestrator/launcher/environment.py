"""Finds the interpreter that has everything the server needs, and builds it where it is not.

An environment lies in ``env-<digest>/``, whose digest covers the lock file and the package with
its metadata, so a new version gets a new one and a running session keeps its own. It is built in
place, since its scripts carry its path, and counts from the moment its file ``complete`` is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ml_orchestrator.launcher.holds import hold, lock_exclusively, make_holdable, withdraw
from ml_orchestrator.launcher.installing import Installer, SetupError, venv_python
from ml_orchestrator.launcher.package import (
    add_package,
    incomplete,
    link_program,
    read_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ml_orchestrator.launcher.installing import Report

__all__ = ["Environments"]

WAIT_S = 0.5


class Environments:
    """The environments of one data folder, for the plug-in in one root folder."""

    def __init__(self, root: Path, data: Path, installer: Installer) -> None:
        self._root = root
        self._data = data.absolute()
        self._installer = installer
        self._lock = root / "requirements" / "core.lock"
        self._metadata = root / "bin" / "METADATA"
        self._package = root / "server" / "ml_orchestrator"

    def python(self, report: Report) -> Path:
        """Return an interpreter with the package and all it needs; may take minutes.

        Raises:
            SetupError: there is none and none can be made.
        """
        if (developers := self._developers_python()) is not None:
            return developers
        try:
            self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = self._data / f"env-{self._digest()}"
            while not self._is_usable(folder):
                self._build_if_free(folder, report)
            with suppress(OSError):  # without it, texts name the program in the environment
                link_program(folder / "venv", self._data / "bin" / "ml-orchestrator")
            self._sweep(folder)
        except OSError as error:
            raise SetupError(_unwritable(self._data, error)) from error
        return venv_python(folder / "venv")

    def _developers_python(self) -> Path | None:
        """Return the interpreter of a ``.venv`` in the root that has the package installed."""
        venv = self._root / ".venv"
        installed = venv.glob("lib/python3*/site-packages/ml_orchestrator_mcp-*.dist-info")
        python = venv_python(venv)
        return python if any(installed) and os.access(python, os.X_OK) else None

    def _digest(self) -> str:
        metadata, _ = read_metadata(self._metadata)
        try:
            lock = self._lock.read_bytes()
        except FileNotFoundError as error:
            raise incomplete(str(error)) from error
        digest = hashlib.sha256(lock + metadata.encode())
        for path in self._sources():
            digest.update(str(path.relative_to(self._package)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def _sources(self) -> Iterator[Path]:
        files = (path for path in self._package.rglob("*") if path.is_file())
        return iter(sorted(path for path in files if "__pycache__" not in path.parts))

    def _is_usable(self, folder: Path) -> bool:
        """Whether an environment is complete; from then on this process holds it."""
        if not (folder / "complete").exists() or hold(folder) is None:
            return False
        return os.access(venv_python(folder / "venv"), os.X_OK)

    def _build_if_free(self, folder: Path, report: Report) -> None:
        """Build an environment, or wait a moment for the one who is building."""
        guard = lock_exclusively(self._data / "install.lock")
        if guard is None:
            report("Another session is installing the Python packages; waiting for it")
            time.sleep(WAIT_S)
            return
        try:
            if not self._is_usable(folder):
                self._build(folder, guard, report)
        finally:
            os.close(guard)

    def _build(self, folder: Path, guard: int, report: Report) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # what a killed installer left
        folder.mkdir()
        venv = folder / "venv"
        self._installer.install(self._lock, venv, guard=guard, report=report)
        report("Installing Python packages, on the first start only: finishing")
        add_package(self._package, self._metadata, venv)
        make_holdable(folder)
        (folder / "complete").touch()

    def _sweep(self, current: Path) -> None:
        """Remove the environments of other versions that nobody uses."""
        guard = lock_exclusively(self._data / "install.lock")
        if guard is None:
            return
        try:
            for folder in self._data.glob("env-*"):
                if folder != current and withdraw(folder):
                    shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(guard)


def _unwritable(data: Path, error: OSError) -> str:
    return (
        f"ml-orchestrator keeps its Python packages in {data} and could not put them there: "
        f"{error}. Make room or let it be written, and call the tool again; nothing has to be "
        "restarted."
    )
