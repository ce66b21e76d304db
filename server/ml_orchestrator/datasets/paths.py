"""Which files may be read: inside the declared roots, regular, and not too large."""

import re
from collections.abc import Sequence
from pathlib import Path

from ml_orchestrator.errors import InvalidInputError, NotFoundError, PathNotAllowedError

__all__ = ["SUFFIXES", "read_allowed_file", "resolve_allowed"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather")
MAX_PATH_CHARS = 4_096
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*:/")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def resolve_allowed(source: str, roots: Sequence[Path]) -> Path:
    """Return the real path that ``source`` names; a relative one starts at the first root.

    Symbolic links are followed before the roots are checked, and whether a file outside the
    roots exists is not told.

    Raises:
        InvalidInputError: not a path at all (URL, control character, too long, not a data file).
        PathNotAllowedError: it leaves the roots, or says ``..``.
        NotFoundError: nothing is there.
    """
    _check_text(source)
    known = [root.resolve() for root in roots]
    listed = ", ".join(map(str, known)) or "none"
    if not known or ".." in Path(source).parts:
        raise PathNotAllowedError(
            f"Path {source!r} is not allowed: name a file inside the roots ({listed}) without '..'."
        )
    path = _resolve(known[0] / Path(source))
    if not any(path.is_relative_to(root) for root in known):
        raise PathNotAllowedError(
            f"Path {source!r} is outside the allowed roots: {listed}. Move the file there, or "
            "ask the operator to add its folder to ML_ORCHESTRATOR_DATA_ROOTS."
        )
    _check_file(path, source)
    return path


def read_allowed_file(path: Path, *, max_bytes: int) -> bytes:
    """Return the content of a resolved file of at most ``max_bytes``.

    Raises:
        InvalidInputError: it grew beyond that meanwhile, or is empty or unreadable.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise InvalidInputError(f"Cannot read {path.name}: {error.strerror}.") from error
    if len(content) > max_bytes:
        raise InvalidInputError(
            f"{path.name} has more than {max_bytes:,} bytes now; it grew while it was read. "
            "Write it elsewhere and move it into place, then ask again."
        )
    if not content:
        raise InvalidInputError(f"{path.name} is empty: rows are needed.")
    return content


def _check_text(source: str) -> None:
    if not source.strip() or len(source) > MAX_PATH_CHARS or _CONTROL.search(source):
        raise InvalidInputError(
            f"Data source {source[:80]!r} is not a path: it is empty, longer than "
            f"{MAX_PATH_CHARS:,} characters or holds a control character. "
            "Give builtin:NAME, or the path of a data file."
        )
    if _URL.match(source):
        raise InvalidInputError(
            f"Data source {source!r} is an address, and no address is fetched. "
            "Download the file into an allowed folder and give its path."
        )


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop, before 3.13
        raise InvalidInputError(f"Path {path.name[:80]!r} cannot be resolved: {error}.") from error


def _check_file(path: Path, source: str) -> None:
    try:
        exists, is_file = path.exists(), path.is_file()
    except OSError as error:
        raise InvalidInputError(
            f"Path {source[:80]!r} cannot be used: {error.strerror}."
        ) from error
    if not exists:
        raise NotFoundError(f"No file {source!r}; looked at {path}.{_neighbours(path)}")
    if not is_file:
        raise InvalidInputError(f"{source!r} is not a regular file; give a data file.")
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInputError(
            f"{source!r} ends in {path.suffix or 'nothing'!r}; "
            f"known endings: {', '.join(SUFFIXES)}."
        )


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = sorted(p.name for p in path.parent.iterdir() if p.suffix.lower() in SUFFIXES)
    return f" In that folder: {', '.join(names[:10])}." if names else ""
