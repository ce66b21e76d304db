"""Locks between processes on one host."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ml_orchestrator.errors import UnavailableError

__all__ = ["exclusive"]

WAIT_S = 120.0
POLL_S = 0.01


@contextmanager
def exclusive(
    target: Path,
    *,
    doing: str,
    wait_s: float = WAIT_S,
    poll_s: float = POLL_S,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold the lock beside ``target``, waiting up to ``wait_s``; it dies with its process.

    MLflow and DBOS create their schemas unsafely when two processes open an empty file at
    once; everybody who may be first goes through here.

    Args:
        target: What is guarded; the lock is a file of the same name and ``.lock``.
        doing: What its holder does, for the message to those who wait in vain.
        wait_s: In seconds.
        poll_s: How often a waiting process looks, in seconds.
        meanwhile: Called at each look in vain; what it raises ends the waiting.

    Raises:
        UnavailableError: another process held it all the time.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{target}.lock", timeout=0)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            lock.acquire()
            break
        except Timeout as error:
            if time.monotonic() >= deadline:
                raise UnavailableError(
                    f"Another process has been {doing} for {wait_s:.0f} s. "
                    "Wait for it, or stop it and try again."
                ) from error
        meanwhile()
        time.sleep(poll_s)
    try:
        yield
    finally:
        lock.release()
