"""The data directory."""

import os
import shutil
from pathlib import Path

from ml_orchestrator.errors import UnavailableError

__all__ = ["describe_directory", "prepare_home"]

LOW_SPACE_BYTES = 200_000_000


def prepare_home(home: Path) -> Path:
    """Create the data directory, private to its owner and ignored by git, and return it.

    Raises:
        UnavailableError: it cannot be created or written to.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise UnavailableError(
            f"The data directory {home} cannot be prepared ({error.strerror}). "
            "Make it writable or set ML_ORCHESTRATOR_HOME to another directory."
        ) from error
    if not os.access(home, os.W_OK):
        raise UnavailableError(
            f"The data directory {home} is read-only. "
            "Make it writable or set ML_ORCHESTRATOR_HOME to another directory."
        )
    return home


def describe_directory(home: Path) -> str:
    """Return how much room the data directory has.

    Raises:
        UnavailableError: it cannot be written, or its disk is nearly full.
    """
    free = shutil.disk_usage(prepare_home(home)).free
    if free < LOW_SPACE_BYTES:
        raise UnavailableError(
            f"Only {free / 1e6:.0f} MB are free for {home}; {LOW_SPACE_BYTES / 1e6:.0f} MB are "
            "needed. Free some disk space or set ML_ORCHESTRATOR_HOME to another disk."
        )
    return f"writable, {free / 1e9:.1f} GB free"
