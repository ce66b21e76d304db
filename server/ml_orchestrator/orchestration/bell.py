"""A bell between processes of one data directory: who queues a run rings, the worker looks at once.

It is the time of a file. A ring that nobody hears costs nothing; the worker looks for runs every so
often anyway, so one that is lost delays a run and loses none.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["answer", "ring"]

FILE = "worker.bell"
LISTEN_S, IDLE_LISTEN_S = 0.02, 0.2
SLOWER = 1.01  # each wait over the last: about 20 s after a ring they are as long as they get
_log = logging.getLogger(__name__)


def ring(home: Path) -> None:
    """Tell the worker of a data directory that something may wait for it."""
    try:
        (home / FILE).touch()
    except OSError as error:
        _log.debug("Nobody could be told to look for runs: %s", error)


def answer(home: Path, look: Callable[[], None], ended: threading.Event) -> None:
    """Call ``look`` after each ring until ``ended``; rings in quick succession may count as one.

    The longer nobody rings, the less often it is listened.
    """
    heard, wait_s = _rung_at(home), LISTEN_S
    while not ended.wait(wait_s):
        wait_s = min(wait_s * SLOWER, IDLE_LISTEN_S)
        rung = _rung_at(home)
        if rung != heard:
            heard, wait_s = rung, LISTEN_S
            look()


def _rung_at(home: Path) -> int | None:
    try:
        return (home / FILE).stat().st_mtime_ns
    except OSError:
        return None
