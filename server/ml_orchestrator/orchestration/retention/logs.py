"""The log of workers does not grow without end: what is older lies beside it, and is replaced."""

import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["MOST_BYTES", "LogKeeper", "cut_log", "older_log"]

MOST_BYTES = 20_000_000
AGAIN_S = 60.0  # after a failure, which may last: each try copies the whole log
_log = logging.getLogger(__name__)


def older_log(log: Path) -> Path:
    """Return where the lines lie that were taken out of a log."""
    return log.with_name(f"{log.name}.1")


class LogKeeper:
    """Cuts one log each time it has become large. Not thread-safe.

    What keeps it from that is told once, until it has succeeded: it is told in that very log.
    """

    def __init__(
        self,
        log: Path,
        *,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = log
        self._most_bytes = most_bytes
        self._clock = clock
        self._not_before = float("-inf")
        self._has_told = False

    def look(self) -> None:
        """Cut the log if it is too large; after a failure, not before a minute has passed."""
        if self._clock() < self._not_before:
            return
        try:
            if cut_log(self._file, most_bytes=self._most_bytes):
                self._has_told = False
        except OSError as error:
            self._not_before = self._clock() + AGAIN_S
            if not self._has_told:
                _log.warning("The log %s cannot be cut, and grows: %s", self._file, error)
            self._has_told = True


def cut_log(log: Path, *, most_bytes: int = MOST_BYTES) -> bool:
    """Empty a log that is larger, once its lines lie beside it; False if that is not needed.

    Its writers keep it open for appending, so they go on at its new beginning. A line that is
    written just between the copy and the emptying is lost. Who may read the log may read those.

    Raises:
        OSError: it cannot be done, and the log is as it was.
    """
    try:
        if log.stat().st_size <= most_bytes:
            return False
        with FileLock(f"{log}.lock", timeout=0):  # two workers may have one log
            if log.stat().st_size <= most_bytes:
                return False
            _copy(log, older_log(log))
            os.truncate(log, 0)
    except (FileNotFoundError, Timeout):
        return False
    return True


def _copy(log: Path, place: Path) -> None:
    """Put a copy of a log, with its mode, whole or not at all in another's place."""
    draft = log.with_name(f"{log.name}.draft")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        shutil.copyfile(log, draft)
        shutil.copymode(log, draft)
        draft.replace(place)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
