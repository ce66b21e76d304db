"""Integrity manifests: the SHA-256 of every file of a model, bound to its name and version."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.models import Check
from ml_orchestrator.storage.whole_files import write_lasting

__all__ = [
    "FileEntry",
    "Manifest",
    "build_manifest",
    "copy_files",
    "list_files",
    "read_manifest",
    "verify_manifest",
    "write_manifest",
]

MAX_FILES = 10_000
MAX_MODEL_BYTES = 10_000_000_000
MAX_MANIFEST_BYTES = 10_000_000
_CHUNK_BYTES = 1 << 20


class FileEntry(BaseModel):
    """One file of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: Annotated[str, Field(description="Path below the model directory, with /.")]
    size_bytes: Annotated[int, Field(ge=0, description="Size in bytes.")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal.")]


class Manifest(BaseModel):
    """Every file of one version of one model, in order of path."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Annotated[Literal[1], Field(description="Version of this format.")] = 1
    model: Annotated[str, Field(description="Name of the registered model.")]
    version: Annotated[int, Field(description="Number of the version.")]
    run_id: Annotated[str | None, Field(description="MLflow run that made it.")]
    files: Annotated[tuple[FileEntry, ...], Field(description="Its files, by path.")]

    @property
    def canonical(self) -> str:
        """The same manifest as the same text everywhere: sorted keys, no spaces."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text; names, version and run included."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Total size of the files in bytes."""
        return sum(entry.size_bytes for entry in self.files)


def build_manifest(directory: Path, *, model: str, version: int, run_id: str | None) -> Manifest:
    """Hash every file below ``directory``.

    Raises:
        IntegrityViolationError: a symbolic link, an odd file, or no file at all.
    """
    entries = tuple(_entry(directory, path) for path in list_files(directory))
    if not entries:
        raise IntegrityViolationError(
            f"There is no file in the model directory {directory.name!r}."
        )
    return Manifest(model=model, version=version, run_id=run_id, files=entries)


def verify_manifest(directory: Path, manifest: Manifest) -> list[Check]:
    """Compare ``directory`` with ``manifest``, file by file.

    Returns three checks, each naming the files it found: none missing, none added, none changed.

    Raises:
        IntegrityViolationError: the directory holds a symbolic link or an odd file.
    """
    recorded = {entry.path: entry for entry in manifest.files}
    found = {_relative(directory, path): path for path in list_files(directory)}
    shared = sorted(recorded.keys() & found.keys())
    changed = [name for name in shared if _entry(directory, found[name]) != recorded[name]]
    return [
        _none("no_missing_files", sorted(recorded.keys() - found.keys()), "missing"),
        _none("no_added_files", sorted(found.keys() - recorded.keys()), "added"),
        _none("no_changed_files", changed, "changed"),
    ]


def list_files(directory: Path) -> list[Path]:
    """Return every file below ``directory`` in order of path, following no link.

    Raises:
        IntegrityViolationError: a symbolic link, an odd file, an odd name or too many files.
    """
    if directory.is_symlink() or not directory.is_dir():
        raise IntegrityViolationError(f"The model directory {directory.name!r} does not exist.")
    files: list[Path] = []
    for entry in _walk(directory):
        files.append(entry)
        if len(files) > MAX_FILES:
            raise IntegrityViolationError(f"The model has more than {MAX_FILES} files.")
    return sorted(files, key=lambda path: _relative(directory, path))


def copy_files(source: Path, destination: Path) -> None:
    """Copy the files below ``source``, following no link.

    Raises:
        IntegrityViolationError: a link, an odd file, or too much.
    """
    files = list_files(source)
    size_bytes = sum(path.lstat().st_size for path in files)
    if size_bytes > MAX_MODEL_BYTES:
        raise IntegrityViolationError(
            f"The model has {size_bytes} bytes; at most {MAX_MODEL_BYTES} are copied."
        )
    for path in files:
        target = destination / path.relative_to(source)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write ``manifest`` to ``path`` whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_lasting(path, manifest.canonical)


def read_manifest(path: Path) -> Manifest | None:
    """Return the manifest at ``path``, or None if there is none.

    Raises:
        IntegrityViolationError: the file is not a manifest.
    """
    if not path.exists():
        return None
    if path.is_symlink() or path.stat().st_size > MAX_MANIFEST_BYTES:
        raise IntegrityViolationError(f"The manifest {path.name} is a link or too large.")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityViolationError(
            f"The manifest {path.name} cannot be read: {error.errors()[0]['msg']}."
        ) from error


def _walk(directory: Path) -> Iterator[Path]:
    pending = [directory]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    pending.append(Path(entry.path))
                elif stat.S_ISREG(mode):
                    yield Path(entry.path)
                else:
                    raise _odd_file(entry.name, mode)


def _odd_file(name: str, mode: int) -> IntegrityViolationError:
    kind = "a symbolic link" if stat.S_ISLNK(mode) else "not a regular file"
    return IntegrityViolationError(f"{name!r} in the model is {kind}; refused.")


def _entry(directory: Path, path: Path) -> FileEntry:
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    name = _relative(directory, path)
    return FileEntry(path=name, size_bytes=size_bytes, sha256=digest.hexdigest())


def _relative(directory: Path, path: Path) -> str:
    name = path.relative_to(directory).as_posix()
    if not name.isprintable() or "\\" in name:
        raise IntegrityViolationError(f"The model has a file with an odd name, {name!r}; refused.")
    return name


def _none(name: str, paths: list[str], what: str) -> Check:
    return Check(
        name=name,
        ok=not paths,
        detail=f"{what}: {', '.join(paths[:20])}" if paths else f"none {what}",
    )
