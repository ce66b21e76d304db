"""The log of a search in a file, written by the one process that holds its directory."""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ml_orchestrator.storage.whole_files import write_whole

__all__ = ["StudyLog"]

_log = logging.getLogger(__name__)


class StudyLog:
    """A backend of Optuna's ``JournalStorage``: entries of JSON, a line each.

    It writes what Optuna's own file backend writes, and reads its files, but takes no lock and
    waits for no disk: the directory is held by one process. What was appended outlives it
    however it ends. When the machine itself fails, the last entries may be lost; their trials are
    run again then.

    An entry that was not written to its end, as a process may have left it that was killed, is
    cut off. Where more is damaged, the entries before it count, and the file as it was is kept
    beside it, ``….damaged``.

    Args:
        path: Of the file, which is made if it is not there.

    Raises:
        OSError: it can be neither read nor written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab+", buffering=0)
        self._file.seek(0)
        content = self._file.readall()
        self._lines, whole = _entries(content)
        self._is_torn = False
        if whole < len(content):
            self._cut_off(path, content, whole)

    def _cut_off(self, path: Path, content: bytes, whole: int) -> None:
        if b"\n" in content[whole:].rstrip(b"\0\n"):
            damaged = path.with_name(f"{path.name}.damaged")
            write_whole(damaged, content)
            _log.warning(
                "%s is damaged after %d entries, with which the search goes on; the file as it was "
                "is %s",
                path.name,
                len(self._lines),
                damaged.name,
            )
        else:
            _log.warning("%s ends in the midst of an entry, which is cut off", path.name)
        self._file.truncate(whole)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the entries from a number on."""
        return map(json.loads, self._lines[log_number_from:])

    def append_logs(self, logs: Sequence[Mapping[str, Any]]) -> None:
        """Append entries, all or none.

        Raises:
            OSError: the disk does not take them, or took a part before that could not be removed.
        """
        if self._is_torn:
            raise OSError("The log ends in the midst of an entry. Let the search go on anew.")
        lines = [json.dumps(log, separators=(",", ":")).encode() for log in logs]
        content = b"".join(line + b"\n" for line in lines)
        before = self._file.seek(0, os.SEEK_END)
        self._is_torn = True
        try:
            while content:
                content = content[self._file.write(content) :]
        except BaseException:  # whatever it is, no half of an entry is to stay
            with suppress(OSError):  # of the two, the first says what is wrong
                self._file.truncate(before)
                self._is_torn = False
            raise
        self._is_torn = False
        self._lines += lines

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _entries(content: bytes) -> tuple[list[bytes], int]:
    """Return the whole entries that a file begins with, and how many bytes they take."""
    lines, n_bytes = [], 0
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n") or not _is_entry(line):
            break
        lines.append(line[:-1])
        n_bytes += len(line)
    return lines, n_bytes


def _is_entry(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
