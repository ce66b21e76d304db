"""Files are there whole or not at all."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import nullcontext
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


def test_only_what_must_last_waits_for_the_disk_for_its_content_and_then_for_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def settle(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content")

    def noting(word: str, act: Callable[..., object]) -> Callable[..., object]:
        def noted(*given: object) -> object:
            done.append(word)
            return act(*given)

        return noted

    monkeypatch.setattr(os, "fsync", settle)
    monkeypatch.setattr(Path, "replace", noting("replace", Path.replace))
    monkeypatch.setattr(os, "link", noting("link", os.link))

    write_whole(tmp_path / "a", "a")
    assert done == ["replace"]
    write_lasting(tmp_path / "b", "b")
    assert done[1:] == ["content", "replace", "folder"]
    create_lasting(tmp_path / "c", "c")
    assert done[4:] == ["content", "link", "folder"]


@pytest.mark.parametrize(("number", "is_told"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_disk_that_loses_names_is_told_and_not_a_file_system_that_cannot_settle_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_told: bool
) -> None:
    def refuse(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(OSError, match=os.strerror(number)) if is_told else nullcontext():
        write_lasting(tmp_path / "a", "a")
    assert (tmp_path / "a").read_text() == "a"
