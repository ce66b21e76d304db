"""The log of a search: what it appends is there, whole, whatever becomes of its process."""

import errno
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from optuna.storages.journal import JournalFileBackend

from ml_orchestrator.training.study_log import StudyLog

ENTRIES: list[dict[str, Any]] = [
    {"op_code": 0, "name": "é"},
    {"op_code": 1},
    {"op_code": 2, "value": [1.5, None]},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


@pytest.fixture
def log(path: Path) -> Iterator[StudyLog]:
    with closing(StudyLog(path)) as log:
        yield log


def read(path: Path) -> list[dict[str, Any]]:
    with closing(StudyLog(path)) as log:
        return list(log.read_logs(0))


def test_what_was_appended_is_read_here_and_by_the_next_from_any_number(
    log: StudyLog, path: Path
) -> None:
    log.append_logs(ENTRIES[:2])
    log.append_logs(ENTRIES[2:])

    assert list(log.read_logs(0)) == read(path) == ENTRIES
    assert list(log.read_logs(2)) == ENTRIES[2:]
    assert list(log.read_logs(3)) == []


def test_an_entry_that_a_reader_changes_stays_as_it_was(log: StudyLog) -> None:
    log.append_logs(ENTRIES)
    next(iter(log.read_logs(0))).clear()
    assert list(log.read_logs(0)) == ENTRIES


def test_optunas_own_files_are_read_and_written(path: Path) -> None:
    JournalFileBackend(str(path)).append_logs(ENTRIES[:1])
    with closing(StudyLog(path)) as log:
        log.append_logs(ENTRIES[1:])

    assert list(JournalFileBackend(str(path)).read_logs(0)) == read(path) == ENTRIES


@pytest.mark.parametrize("tail", [b'{"op_code": 3', b"\0" * 9, b"3\n", b'{"op\n'])
def test_an_entry_that_was_not_written_to_its_end_is_cut_off(
    path: Path, tail: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(StudyLog(path)) as log:
        log.append_logs(ENTRIES)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)

    with caplog.at_level(logging.WARNING):
        assert read(path) == ENTRIES

    assert path.read_bytes() == whole
    assert "study.journal ends in the midst of an entry" in caplog.text


def test_where_more_is_damaged_the_file_as_it_was_is_kept(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(StudyLog(path)) as log:
        log.append_logs(ENTRIES)
    damaged = path.read_bytes().replace(b'"op_code":1', b'"op_code"?1')
    path.write_bytes(damaged)

    with caplog.at_level(logging.WARNING):
        assert read(path) == ENTRIES[:1]

    assert path.with_name("study.journal.damaged").read_bytes() == damaged
    assert "study.journal is damaged after 1 entries" in caplog.text
    assert read(path) == ENTRIES[:1]


def test_what_could_not_be_removed_is_not_written_on(log: StudyLog, path: Path) -> None:
    class Broken:
        """Takes five bytes, and then neither more nor any of them back."""

        def seek(self, *place: int) -> int:
            return file.seek(*place)

        def write(self, content: bytes) -> int:
            if file.seek(0, 2) > whole:
                raise OSError(errno.EIO, "Input/output error")
            return file.write(content[:5])

        def truncate(self, _: int) -> int:
            raise OSError(errno.EIO, "Input/output error")

    log.append_logs(ENTRIES[:1])
    file, whole = log._file, path.stat().st_size
    log._file = Broken()  # type: ignore[assignment]
    with pytest.raises(OSError, match="Input/output"):
        log.append_logs(ENTRIES[1:2])
    log._file = file
    with pytest.raises(OSError, match="ends in the midst of an entry"):
        log.append_logs(ENTRIES[2:])

    assert read(path) == ENTRIES[:1]


def test_a_full_disk_leaves_no_half_of_an_entry(log: StudyLog, path: Path) -> None:
    class Full:
        """Takes five bytes, and then no more."""

        def __init__(self) -> None:
            self.seek, self.truncate, self.close = file.seek, file.truncate, file.close
            self.n_left = 5

        def write(self, content: bytes) -> int:
            if not self.n_left:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.n_left -= (n := file.write(content[: self.n_left]))
            return n

    log.append_logs(ENTRIES[:1])
    file = log._file
    log._file = Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"):
        log.append_logs(ENTRIES[1:])
    log._file = file
    log.append_logs(ENTRIES[1:])

    assert list(log.read_logs(0)) == read(path) == ENTRIES
