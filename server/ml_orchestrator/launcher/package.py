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
from ml_orchestrator.launcher.installing import NOBODYS_FOLDER, SetupError, venv_python

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["add_package", "incomplete", "link_program", "read_metadata"]

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

    Raises:
        SetupError: the metadata are damaged.
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


def read_metadata(metadata: Path) -> tuple[str, str]:
    """Return the text of a file of metadata, and name and version of the release as folders do.

    Raises:
        SetupError: it is missing or damaged.
    """
    try:
        text = metadata.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise incomplete(f"{metadata}: {error}") from error
    named = _NAMED.search(text)
    if named is None:
        raise incomplete(f"{metadata} names no release")
    return text, f"{named['name'].replace('-', '_')}-{named['version']}"


def incomplete(found: str) -> SetupError:
    """Return the error that says what is amiss in the plug-in's own files."""
    return SetupError(
        f"The files of the ml-orchestrator plug-in are incomplete: {found}. Install the plug-in "
        "again, and start a new session."
    )


def link_program(venv: Path, link: Path) -> None:
    """Let a link lead to the program of an environment, at once: it always leads somewhere.

    Texts that are kept name the link, as an environment goes with the next update.

    Raises:
        OSError: it cannot be written.
    """
    program = str(venv / "bin" / "ml-orchestrator")
    if link.is_symlink() and str(link.readlink()) == program:
        return
    link.parent.mkdir(exist_ok=True)
    new = link.with_name(f".{link.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(program)
    new.replace(link)


def _add_program(venv: Path) -> Path:
    """Write what a person types, which names its interpreter as the scripts of pip do."""
    program = venv / "bin" / "ml-orchestrator"
    program.write_bytes(os.fsencode(_PROGRAM.format(python=shlex.quote(str(venv_python(venv))))))
    program.chmod(0o755)
    return program


def _add_metadata(metadata: Path, site_packages: Path, files: Iterable[Path]) -> None:
    text, release = read_metadata(metadata)
    folder = site_packages / f"{release}.dist-info"
    folder.mkdir()
    record = folder / "RECORD"
    (folder / "METADATA").write_text(text, encoding="utf-8")
    (folder / "INSTALLER").write_text("ml-orchestrator\n", encoding="utf-8")
    listed = [*files, folder / "METADATA", folder / "INSTALLER", record]
    lines = (f"{os.path.relpath(path, site_packages)},,\n" for path in listed)
    record.write_text("".join(lines), encoding="utf-8")
