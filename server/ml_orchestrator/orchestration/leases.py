"""Who is the worker of a data directory: a lock for the living, leases for the record.

The lock says at once when its holder dies. A holder that hangs keeps the lock but stops
renewing its lease; then it is killed, so that no two processes ever work for one another.
Leases have a file of their own: a worker that froze inside a transaction of another database
cannot keep anybody from seeing that it froze.
"""

import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

__all__ = ["Lease", "LeaseBook", "Leases", "is_running", "kill", "since_boot"]

WAIT_S = 2.0
KILL_LOOK_S = 0.01
SAME_S = 1.5  # two looks at when a process started may differ by a tick and a rounded boot time
EPOCH_S = 1e9  # what is larger was written by release 0.1.0 before 2026-11-27: since the epoch
_COLUMNS = "executor_id, host, pid, process_started_at, renewed_at, is_live"
_TABLE = """
    CREATE TABLE IF NOT EXISTS leases (
        executor_id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL,
        process_started_at REAL NOT NULL, renewed_at REAL NOT NULL, is_live INTEGER NOT NULL)
"""
_TAKE = """
    INSERT INTO leases VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (executor_id)
    DO UPDATE SET renewed_at = excluded.renewed_at, is_live = 1
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker process, named by its executor id.

    ``renewed_at`` is in seconds since the epoch, ``process_started_at`` since the machine started:
    a clock that is set does not make a living process look like another.
    """

    executor_id: str
    host: str
    pid: int
    process_started_at: float
    renewed_at: float
    is_live: int  # 0 or 1, as SQLite has it

    @property
    def is_here(self) -> bool:
        """Whether the process is, or was, on this machine."""
        return self.host == socket.gethostname()

    @property
    def is_since_boot(self) -> bool:
        """Whether it was renewed since this machine started, by the clock as it is now.

        Afterwards another process may have the same number, and have started as soon.
        A clock that is set forward by more than the machine's uptime makes a living worker look
        gone until it renews, a moment later.
        """
        return self.renewed_at >= psutil.boot_time() - SAME_S


class LeaseBook(Protocol):
    """As much of the leases as those need who start workers or look at them."""

    def all(self) -> Sequence[Lease]:
        """Return every lease whose runs have not been taken over."""
        ...

    def ours(self) -> Sequence[Lease]:
        """Return those of this data directory."""
        ...

    def has_worker(self) -> bool:
        """Whether a worker is there that is well, so that none need be started."""
        ...

    def is_silent(self, lease: Lease) -> bool:
        """Whether a lease has not been renewed in time."""
        ...

    def silence_s(self, lease: Lease) -> float:
        """Return for how long it has not been renewed, in seconds."""
        ...

    def exists(self) -> bool:
        """Whether anything has been written yet; looking makes nothing."""
        ...


class Leases:
    """The leases of one data directory; every call is one short transaction."""

    def __init__(self, path: Path, *, ttl_s: float, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._ttl_s = ttl_s
        self._clock = clock

    def take(self, executor_id: str) -> None:
        """Enter this process under a name of its own, live from now on; or live again."""
        process = psutil.Process()
        row = (executor_id, socket.gethostname(), process.pid, since_boot(process), self._clock())
        with self._writing() as connection:
            connection.execute(_TAKE, row)

    def renew(self, executor_id: str) -> bool:
        """Extend a lease; False if it was lost, and then its holder must stop at once."""
        return self._change(
            "UPDATE leases SET renewed_at = ? WHERE executor_id = ? AND is_live = 1",
            (self._clock(), executor_id),
        )

    def resign(self, executor_id: str) -> None:
        """End a lease before leaving, so that whoever wants a worker starts another."""
        self._change("UPDATE leases SET is_live = 0 WHERE executor_id = ?", (executor_id,))

    def revoke(self, lease: Lease) -> bool:
        """End the lease of a worker that went silent; True for the one caller who did it."""
        return self._change(
            "UPDATE leases SET is_live = 0 "
            "WHERE executor_id = ? AND is_live = 1 AND renewed_at = ?",
            (lease.executor_id, lease.renewed_at),
        )

    def forget(self, executor_id: str) -> None:
        """Drop an ended lease once its runs have been taken over."""
        self._change("DELETE FROM leases WHERE executor_id = ? AND is_live = 0", (executor_id,))

    def all(self) -> list[Lease]:
        """Return every lease whose runs have not been taken over."""
        with self._connected() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM leases").fetchall()  # noqa: S608
        return [Lease(*row) for row in rows]

    def is_silent(self, lease: Lease) -> bool:
        """Whether a lease has not been renewed in time.

        One that was renewed in the future is silent, too: the clock was set back since, and its
        holder has not renewed it yet. A living one does so in a moment.
        """
        return abs(self.silence_s(lease)) > self._ttl_s

    def silence_s(self, lease: Lease) -> float:
        """Return for how long a lease has not been renewed, in seconds by this machine's clock."""
        return self._clock() - lease.renewed_at

    def ours(self) -> list[Lease]:
        """Return every lease: they are those of one data directory."""
        return self.all()

    def exists(self) -> bool:
        """Whether there is a file of leases yet."""
        return self._path.exists()

    def has_worker(self) -> bool:
        """Whether a live lease exists, renewed in time by a process that still runs."""
        return any(
            lease.is_live and not self.is_silent(lease) and (not lease.is_here or is_running(lease))
            for lease in self.all()
        )

    def _change(self, statement: str, values: tuple[object, ...]) -> bool:
        with self._writing() as connection:
            return connection.execute(statement, values).rowcount == 1

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=WAIT_S, isolation_level=None)) as opened:
            opened.execute(_TABLE)
            yield opened

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection, connection:  # commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def since_boot(process: psutil.Process) -> float:
    """Return when a process started, in seconds since its machine did."""
    # psutil 7.2 adds the boot time as it is by the clock now; taken off again, nothing moves.
    return process.create_time() - psutil.boot_time()


def is_running(lease: Lease) -> bool:
    """Whether the very process of a lease still runs on this machine."""
    if not lease.is_since_boot:
        return False
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(lease.pid)
        is_old = lease.process_started_at > EPOCH_S
        started = process.create_time() if is_old else since_boot(process)
        is_same = abs(started - lease.process_started_at) < SAME_S
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    return False


def kill(lease: Lease, *, wait_s: float = WAIT_S) -> None:
    """Kill the process of a lease on this machine, unless it is this one or gone.

    Returns once it runs no more, whether its parent has asked how it ended or not.

    Raises:
        psutil.TimeoutExpired: it still runs after ``wait_s`` seconds.
        psutil.AccessDenied: it is another user's.
    """
    if lease.pid == os.getpid() or not is_running(lease):
        return
    with suppress(psutil.NoSuchProcess):
        psutil.Process(lease.pid).kill()
    give_up_at = time.monotonic() + wait_s
    while is_running(lease):
        if time.monotonic() > give_up_at:
            raise psutil.TimeoutExpired(wait_s, lease.pid)
        time.sleep(KILL_LOOK_S)
