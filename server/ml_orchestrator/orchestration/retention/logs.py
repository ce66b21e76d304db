"""The log of workers does not grow without end: what is older lies beside it, and is replaced."""

import logging
import os
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["MOST_BYTES", "cut_log", "older_log"]

MOST_BYTES = 20_000_000
_log = logging.getLogger(__name__)


def older_log(log: Path) -> Path:
    """Return where the lines lie that were taken out of a log."""
    return log.with_name(f"{log.name}.1")


def cut_log(log: Path, *, most_bytes: int = MOST_BYTES) -> bool:
    """Empty a log that is larger, once its lines lie beside it; False if that is not needed.

    Its writers keep it open for appending, so they go on at its new beginning. A line that is
    written just between the copy and the emptying is lost.
    """
    try:
        if log.stat().st_size <= most_bytes:
            return False
        with FileLock(f"{log}.lock", timeout=0):  # two workers may have one log
            if log.stat().st_size <= most_bytes:
                return False
            draft = log.with_name(f"{log.name}.draft")
            shutil.copyfile(log, draft)
            draft.replace(older_log(log))
            os.truncate(log, 0)
    except (FileNotFoundError, Timeout):
        return False
    except OSError as error:
        _log.warning("The log %s is not cut: %s", log, error)
        return False
    return True
