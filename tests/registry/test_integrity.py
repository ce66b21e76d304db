import os
from pathlib import Path

import pytest

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.integrity import (
    Manifest,
    build_manifest,
    read_manifest,
    verify_manifest,
    write_manifest,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "deep").mkdir(parents=True)
    (model / "a.txt").write_bytes(b"abc")
    (model / "deep" / "b.bin").write_bytes(bytes(range(256)))
    return model


def manifest_of(directory: Path, **given: object) -> Manifest:
    names = {"model": "iris", "version": 1, "run_id": "r1", **given}
    return build_manifest(directory, **names)  # type: ignore[arg-type]


def failed(directory: Path, manifest: Manifest) -> dict[str, str]:
    return {c.name: c.detail for c in verify_manifest(directory, manifest) if not c.ok}


def test_a_manifest_holds_every_file_with_its_published_digest(directory: Path) -> None:
    entries = manifest_of(directory).files
    assert [(e.path, e.size_bytes) for e in entries] == [("a.txt", 3), ("deep/b.bin", 256)]
    # SHA-256 of "abc", FIPS 180-2, appendix B.1
    assert entries[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_an_untouched_directory_has_no_findings(directory: Path) -> None:
    assert failed(directory, manifest_of(directory)) == {}


def test_one_flipped_bit_is_named(directory: Path) -> None:
    manifest = manifest_of(directory)
    content = bytearray((directory / "deep" / "b.bin").read_bytes())
    content[17] ^= 1
    (directory / "deep" / "b.bin").write_bytes(content)
    assert failed(directory, manifest) == {"no_changed_files": "changed: deep/b.bin"}


@pytest.mark.parametrize("name", ["new.py", "__pycache__/x.pyc", ".git/config", ".hidden"])
def test_an_added_file_is_named_wherever_it_hides(directory: Path, name: str) -> None:
    manifest = manifest_of(directory)
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).write_text("x")
    assert failed(directory, manifest) == {"no_added_files": f"added: {name}"}


def test_a_removed_file_is_named(directory: Path) -> None:
    manifest = manifest_of(directory)
    (directory / "a.txt").unlink()
    assert failed(directory, manifest) == {"no_missing_files": "missing: a.txt"}


@pytest.mark.parametrize("target", ["a.txt", "/etc/passwd", "deep", "nowhere"])
def test_a_symbolic_link_is_refused_and_named(directory: Path, target: str) -> None:
    manifest = manifest_of(directory)
    (directory / "link").symlink_to(target)
    with pytest.raises(IntegrityViolationError, match="'link' in the model is a symbolic link"):
        verify_manifest(directory, manifest)
    with pytest.raises(IntegrityViolationError, match="'link'"):
        manifest_of(directory)


def test_a_pipe_is_refused_without_being_opened(directory: Path) -> None:
    os.mkfifo(directory / "pipe")
    with pytest.raises(IntegrityViolationError, match="'pipe' in the model is not a regular file"):
        manifest_of(directory)


def test_an_empty_or_absent_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent"):
        with pytest.raises(IntegrityViolationError, match=name):
            manifest_of(tmp_path / name)


def test_the_digest_is_bound_to_name_version_and_run(directory: Path) -> None:
    digests = {
        manifest_of(directory, **given).digest
        for given in ({}, {"model": "rose"}, {"version": 2}, {"run_id": "r2"})
    }
    assert len(digests) == 4


def test_a_manifest_survives_its_file_and_a_broken_one_is_refused(
    directory: Path, tmp_path: Path
) -> None:
    path = tmp_path / "manifests" / "iris" / "1.json"
    assert read_manifest(path) is None
    write_manifest(path, manifest_of(directory))
    assert read_manifest(path) == manifest_of(directory)
    assert [p.name for p in path.parent.iterdir()] == ["1.json"]

    path.write_text(path.read_text().replace("iris", "rose", 1)[:-1])
    with pytest.raises(IntegrityViolationError, match=r"1\.json cannot be read"):
        read_manifest(path)
