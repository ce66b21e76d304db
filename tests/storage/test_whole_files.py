"""Files are there whole or not at all."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ml_orchestrator.storage.whole_files import create_lasting, write_lasting, write_whole

Write = Callable[[Path, "str | bytes"], None]
ALL: list[Write] = [write_whole, write_lasting, create_lasting]


@pytest.mark.parametrize("write", ALL)
@pytest.mark.parametrize("content", ["ä\n", b"\x00\xff"])
def test_a_file_holds_what_was_given_for_its_owner_alone(
    tmp_path: Path, write: Write, content: str | bytes
) -> None:
    path = tmp_path / "file"

    write(path, content)

    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_whole, write_lasting])
def test_a_file_is_replaced_while_who_reads_the_old_one_goes_on(
    tmp_path: Path, write: Write
) -> None:
    path = tmp_path / "file"
    write(path, "old")
    with path.open() as reader:
        write(path, "new")
        assert (reader.read(), path.read_text()) == ("old", "new")


def test_what_is_created_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    create_lasting(path, "first")

    with pytest.raises(FileExistsError):
        create_lasting(path, "second")

    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", ALL)
@pytest.mark.parametrize("content", ["half a character: \ud800", "whole"])
def test_a_failed_write_leaves_the_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, content: str
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises((OSError, UnicodeEncodeError)):
        write(path, content)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_what_must_last_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: settled.append("synced"))

    write_whole(tmp_path / "a", "a")
    assert settled == []
    write_lasting(tmp_path / "b", "b")
    create_lasting(tmp_path / "c", "c")
    assert settled == ["synced", "synced"]
