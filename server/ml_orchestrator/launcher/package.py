"""Puts the package into a new environment as an installer would: code, program and metadata.

By its metadata pip and uv find the release there, and add what an extra of it needs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from ml_orchestrator.launcher.environs import installer_environment
from ml_orchestrator.launcher.installing import NOBODYS_FOLDER, venv_python

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["add_package"]

_HOLD = "import sys; from ml_orchestrator.launcher.holds import hold; hold(sys.prefix + '/..')\n"
# -P: files of the project, in which it is typed, are no modules of ours.
_PROGRAM = '#!/bin/sh\nexec {python} -P -m ml_orchestrator "$@"\n'
_NAMED = re.compile(r"^Name: (?P<name>\S+)$.*^Version: (?P<version>\S+)$", re.MULTILINE | re.DOTALL)


def add_package(package: Path, metadata: Path, venv: Path) -> None:
    """Copy the package, write its program and its metadata, and compile it.

    Args:
        package: The folder of its sources.
        metadata: A file with the fields of a wheel's ``METADATA``.
        venv: A virtual environment, absolute; it is not moved later.
    """
    (site_packages,) = venv.glob("lib/python3*/site-packages")
    target = site_packages / package.name
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    pth = site_packages / f"{package.name}.pth"
    pth.write_text(_HOLD, encoding="utf-8")
    program = _add_program(venv)
    sources = (path for path in target.rglob("*") if path.is_file())
    _add_metadata(metadata, site_packages, [program, pth, *sources])
    subprocess.run(
        [venv_python(venv), "-I", "-m", "compileall", "-q", target],
        cwd=NOBODYS_FOLDER,
        env=installer_environment(os.environ),
        capture_output=True,
        check=False,
    )


def _add_program(venv: Path) -> Path:
    """Write what a person types, which names its interpreter as the scripts of pip do."""
    program = venv / "bin" / "ml-orchestrator"
    program.write_bytes(os.fsencode(_PROGRAM.format(python=shlex.quote(str(venv_python(venv))))))
    program.chmod(0o755)
    return program


def _add_metadata(metadata: Path, site_packages: Path, files: Iterable[Path]) -> None:
    text = metadata.read_text(encoding="utf-8")
    named = _NAMED.search(text)
    assert named, f"{metadata} has no name and version"
    folder = site_packages / f"{named['name'].replace('-', '_')}-{named['version']}.dist-info"
    folder.mkdir()
    record = folder / "RECORD"
    (folder / "METADATA").write_text(text, encoding="utf-8")
    (folder / "INSTALLER").write_text("ml-orchestrator\n", encoding="utf-8")
    listed = [*files, folder / "METADATA", folder / "INSTALLER", record]
    lines = (f"{os.path.relpath(path, site_packages)},,\n" for path in listed)
    record.write_text("".join(lines), encoding="utf-8")
