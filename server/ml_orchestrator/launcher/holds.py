"""Locks on folders and installers that end with the processes that have them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["hold", "lock_exclusively", "make_holdable", "withdraw"]

_FILE = "in-use"


def hold(folder: str | os.PathLike[str]) -> int | None:
    """Keep a folder from being removed while this process lives.

    Every process of an environment calls this as it starts, by a ``.pth`` file.

    Returns:
        The descriptor that holds it; None if the folder is not there or is being removed.
    """
    path = Path(folder) / _FILE
    descriptor = _lock(path, fcntl.LOCK_SH)
    if descriptor is None or _is_still(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def make_holdable(folder: Path) -> None:
    """Prepare a new folder for ``hold``."""
    (folder / _FILE).touch()


def withdraw(folder: Path) -> bool:
    """Make a folder unholdable, so that it can be removed; False while somebody holds it."""
    path = folder / _FILE
    if not path.exists():
        return True
    descriptor = _lock(path, fcntl.LOCK_EX)
    if descriptor is None:
        return False
    path.unlink()
    os.close(descriptor)
    return True


def lock_exclusively(path: Path) -> int | None:
    """Take the one lock on a file; None while another process, or a child of one, has it."""
    path.touch(mode=0o600)
    return _lock(path, fcntl.LOCK_EX)


def _lock(path: Path, kind: int) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
