"""What a skops archive may hold, read from its directory and headers before it is unpacked."""

import io
import json
import re
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ml_orchestrator.errors import IntegrityViolationError

__all__ = ["DAMAGE", "check_archive"]

MAX_UNPACKED_BYTES = 1_000_000_000
MAX_FILE_BYTES = 1_100_000_000  # members that are not compressed, their headers and the directory
MAX_DIRECTORY_BYTES = 20_000_000  # zipfile reads it whole, and makes an object of each member
MAX_SCHEMA_BYTES = 64_000_000
MAX_MEMBERS = 100_000
MAX_RATIO = 100
MAX_NODES = 5_000_000
MAX_DEPTH = 150
MIN_PROTOCOL = 2  # skops 0.16 writes it
_ENCRYPTED = 0x1
_ZIP = b"PK\x03\x04"
_MEMBER = re.compile(r"schema\.json|[A-Za-z0-9_-]{1,64}\.(npy|npz|bin)")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

# What zipfile, numpy, json and skops 0.16 raised for 1,600 files with one flipped bit, and kin.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ImportError,
    RuntimeError,
    MemoryError,
    OSError,
    EOFError,
)


def check_archive(path: Path) -> str:
    """Look at a skops archive without unpacking it, and return what it holds.

    Counted are the sizes that its members, and archives within it, would unpack to; the arrays
    that their headers announce; and the objects that its schema would build when every
    reference is followed.

    Raises:
        IntegrityViolationError: not a plain skops archive, or too much of anything.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise IntegrityViolationError(
            f"{path.name} has {path.stat().st_size} bytes; at most {MAX_FILE_BYTES} are opened."
        )
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:
            raise IntegrityViolationError(
                f"{path.name} is not a skops archive; a pickle or another format is never loaded "
                "in its place."
            )
    try:
        with (
            path.open("rb", buffering=0) as raw,
            _InParts(raw) as parts,
            zipfile.ZipFile(parts) as archive,
        ):
            parts.most = None  # the directory is read
            unpacked = _check_members(archive, path)
            _check_schema(archive, path)
            return f"{len(archive.namelist())} members, {unpacked} bytes unpacked"
    except DAMAGE as error:
        raise IntegrityViolationError(
            f"{path.name} is a damaged archive ({type(error).__name__})."
        ) from error


class _InParts(io.BufferedReader):
    """A file of which no more than ``most`` bytes are read at once; None: as many as wanted."""

    most: int | None = MAX_DIRECTORY_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise IntegrityViolationError(
                f"The directory of the archive has {size} bytes; at most {self.most} are read."
            )
        return super().read(size)


def _check_members(archive: zipfile.ZipFile, path: Path) -> int:
    members = archive.infolist()
    names = {member.filename.lower() for member in members}
    if "schema.json" not in names or len(names) != len(members) or len(members) > MAX_MEMBERS:
        raise IntegrityViolationError(f"{path.name} is not a plain skops archive.")
    for member in members:
        _check_member(member, path)
    limit = min(MAX_UNPACKED_BYTES, MAX_RATIO * path.stat().st_size)
    unpacked = _must_fit(sum(member.file_size for member in members), limit, path)
    for member in members:
        with archive.open(member) as content:
            if member.filename.endswith(".npy"):
                _check_array(content, member.file_size, f"{path.name}:{member.filename}")
            elif member.filename.endswith(".npz"):
                unpacked = _must_fit(unpacked + _check_npz(content.read(), path), limit, path)
    return unpacked


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    if not _MEMBER.fullmatch(member.filename):
        raise IntegrityViolationError(
            f"{path.name} has a member {member.filename[:80]!r}, which is not part of a skops "
            "archive; refused."
        )
    if member.flag_bits & _ENCRYPTED:
        raise IntegrityViolationError(f"{path.name} has encrypted members.")
    if member.compress_type not in _METHODS:
        raise IntegrityViolationError(f"{path.name} is packed in a way that skops does not use.")


def _must_fit(unpacked: int, limit: int, path: Path) -> int:
    if unpacked > limit:
        raise IntegrityViolationError(
            f"{path.name} unpacks to {unpacked} bytes from {path.stat().st_size}; refused."
        )
    return unpacked


def _check_npz(content: bytes, path: Path) -> int:
    """Look into a sparse matrix, an archive of its own, and return what it unpacks to."""
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        members = inner.infolist()
        is_plain = all(m.filename.endswith(".npy") and not m.flag_bits & 1 for m in members)
        if not is_plain or len({m.filename for m in members}) != len(members):
            raise IntegrityViolationError(f"{path.name} holds an archive that is no sparse matrix.")
        unpacked = sum(member.file_size for member in members)
        _must_fit(unpacked, min(MAX_UNPACKED_BYTES, MAX_RATIO * len(content)), path)
        for member in members:
            with inner.open(member) as array:
                _check_array(array, member.file_size, f"{path.name}:{member.filename}")
    return unpacked


def _check_array(file: Any, size_bytes: int, name: str) -> None:
    """Compare what an array's header announces with the bytes that are there."""
    header = io.BytesIO(file.read(min(size_bytes, 1 << 16)))
    shape, dtype = _read_header(header)
    if dtype.hasobject:
        raise IntegrityViolationError(f"{name} is an array of objects, hence a pickle; refused.")
    announced = dtype.itemsize
    for length in shape:
        announced *= length
    if min(shape, default=0) < 0 or announced != size_bytes - header.tell():
        raise IntegrityViolationError(
            f"{name} announces {announced} bytes of numbers and holds "
            f"{size_bytes - header.tell()}; refused."
        )


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], "np.dtype[Any]"]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    return shape, dtype


def _check_schema(archive: zipfile.ZipFile, path: Path) -> None:
    if archive.getinfo("schema.json").file_size > MAX_SCHEMA_BYTES:
        raise IntegrityViolationError(f"The schema of {path.name} is too large.")
    schema = json.loads(archive.read("schema.json"))
    if not isinstance(schema, dict) or "__loader__" not in schema:
        raise IntegrityViolationError(f"The schema of {path.name} is not one of skops.")
    # A file says itself which release's readers are used; old ones may be less strict.
    protocol = schema.get("protocol")
    if not isinstance(protocol, int) or protocol < MIN_PROTOCOL:
        raise IntegrityViolationError(f"{path.name} asks for readers of an older skops.")
    nodes = _expanded(schema, {}, 0)
    if nodes > MAX_NODES:
        raise IntegrityViolationError(f"{path.name} would build {nodes} objects; refused.")


def _expanded(part: Any, known: dict[Any, int], depth: int) -> int:
    """Count objects as a walk would that follows each reference, hence twice what occurs twice."""
    if depth > MAX_DEPTH:
        raise IntegrityViolationError(f"The schema is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(part, list):
        return sum(_expanded(item, known, depth + 1) for item in part)
    if not isinstance(part, dict):
        return 0
    name = part.get("__id__")
    if isinstance(name, int) and name in known:
        return known[name]
    if isinstance(name, int):
        known[name] = 1  # a reference to itself, while it is counted
    count = 1 + sum(_expanded(item, known, depth + 1) for item in part.values())
    if isinstance(name, int):
        known[name] = count
    return count
