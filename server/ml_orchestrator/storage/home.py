"""The data directory."""

import os
from pathlib import Path

from ml_orchestrator.errors import UnavailableError

__all__ = ["prepare_home"]


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
