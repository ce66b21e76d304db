"""Locks between processes on one host."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ml_orchestrator.errors import UnavailableError

__all__ = ["creation_lock"]

WAIT_S = 120.0


@contextmanager
def creation_lock(target: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock beside ``target`` while it is created or migrated.

    MLflow and DBOS create their schemas unsafely when two processes open an empty file at
    once; everybody who may be first goes through here. The lock dies with its process.

    Raises:
        UnavailableError: another process held it for ``wait_s`` seconds.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{target}.lock", timeout=wait_s):
            yield
    except Timeout as error:
        raise UnavailableError(
            f"Another process has been preparing {target.name} for {wait_s:.0f} s. "
            "Wait for it, or stop it and try again."
        ) from error
