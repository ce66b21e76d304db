"""Puts ``.claude/memory/memory_manager.py`` into the project that is served.

Agents' definitions paste Python that imports it, which any interpreter may run. A file of that
name that is not ours is left alone, and so is a project that cannot be written.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SWITCH", "put_door"]

SWITCH = "ML_ORCHESTRATOR_MEMORY_FILE"  # "off": leave the project alone
_MARK = b"# Written by the ml-orchestrator plug-in, and again when it changes. To keep it out: "
_HEADER = _MARK.decode() + f"{SWITCH}=off, or a file of your own.\n"
_IGNORED = (
    "# Written by the ml-orchestrator plug-in: memory_manager.py names places on this machine.\n"
    "/.gitignore\n/__pycache__/\n/memory_manager.py\n"
)
_PLACES = ("ML_ORCHESTRATOR_HOME", "ML_ORCHESTRATOR_PROJECT_DIR")
_SECRETS = ("ML_ORCHESTRATOR_DATABASE_URL",)


def put_door(python: Path, environ: Mapping[str, str]) -> None:
    """Write the file, unless it is there, somebody else's, switched off or cannot be written.

    Args:
        python: The interpreter that has the package.
        environ: Of the server: names the project and where memory is kept.
    """
    project = Path(environ.get("CLAUDE_PROJECT_DIR") or os.devnull)
    try:
        if environ.get(SWITCH, "").lower() != "off" and _is_a_place_for_it(project, environ):
            _put(project / ".claude" / "memory", _filled_in(python, environ))
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, no home directory
        sys.stderr.write(f"ml-orchestrator: no memory_manager.py in {project}: {error}\n")


def _is_a_place_for_it(project: Path, environ: Mapping[str, str]) -> bool:
    """Whether a folder is a project whose ``.claude`` is its own, and not the client's settings."""
    settings = Path(environ.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser()
    folder = project / ".claude" / "memory"
    is_within = project.resolve() in folder.resolve().parents
    return project.is_dir() and is_within and settings.resolve() != folder.parent.resolve()


def _filled_in(python: Path, environ: Mapping[str, str]) -> str:
    """Return the file with its facts: where the work is done, and on which store."""
    given = {name: environ[name] for name in (*_PLACES, *_SECRETS) if environ.get(name)}
    facts = {
        "PYTHON": str(python),
        "SETTINGS": {n: str(Path(given[n]).expanduser().absolute()) for n in _PLACES if n in given},
        "SECRETS": tuple(name for name in _SECRETS if name in given),
    }
    template = Path(__file__).with_name("memory_manager.py").read_text(encoding="utf-8")
    return _HEADER + "".join(_with_fact(line, facts) for line in template.splitlines(True))


def _with_fact(line: str, facts: Mapping[str, object]) -> str:
    name = line.partition(" = ")[0].partition(":")[0]
    return f"{name} = {facts[name]!a}\n" if name in facts else line


def _put(folder: Path, text: str) -> None:
    file = folder / "memory_manager.py"
    known = file.read_bytes() if file.is_file() and not file.is_symlink() else None
    if known == text.encode() or (os.path.lexists(file) and not (known or b"").startswith(_MARK)):
        return
    folder.mkdir(parents=True, exist_ok=True)
    if known is None:
        with suppress(FileExistsError), (folder / ".gitignore").open("x") as ignored:
            ignored.write(_IGNORED)
    _replace(file, text)


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all: another session may read or write it."""
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=".memory_manager.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(draft).replace(file)
    except OSError:
        Path(draft).unlink()
        raise
