"""The leases of workers that share a database: rows of it, timed by its clock."""

import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil
from sqlalchemy import Double, cast, delete, extract, func, inspect, select, update
from sqlalchemy.dialects.postgresql import insert

from ml_orchestrator.orchestration.leases import Lease, since_boot
from ml_orchestrator.orchestration.leases import is_running as is_process_running
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.storage.schema import step_holds
from ml_orchestrator.storage.schema import worker_leases as table

__all__ = ["SharedLease", "SharedLeases", "this_machine"]

# What workers held that have no lease any more.
_LET_GO = delete(step_holds).where(step_holds.c.executor_id.not_in(select(table.c.executor_id)))
_NOW = cast(extract("epoch", func.clock_timestamp()), Double)


@cache
def this_machine() -> str:
    """Return what names the place in which process numbers mean what they mean here.

    A host name is not enough: containers of one image may share it, and restarted machines keep it.
    """
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"[:128]
    return f"{socket.gethostname()}/{uuid.getnode():x}"[:128]


@dataclass(frozen=True, slots=True)
class SharedLease(Lease):
    """One worker process; ``silent_s`` is how long it was silent when the row was read."""

    home_id: str
    machine: str
    pool: str | None
    plan_version: str | None
    silent_s: float

    @property
    def is_here(self) -> bool:
        """Whether its number names a process here."""
        return self.machine == this_machine()

    @property
    def is_since_boot(self) -> bool:
        """Whether its machine runs since then: the name of a machine here is of one start of it."""
        return True


class SharedLeases:
    """The leases of all workers of a database; every call is one statement. Thread-safe.

    A worker has a row from before it takes its first run until after its last. So a run whose
    owner has no row is nobody's.

    Args:
        rows: The state database.
        home_id: The data directory of this process.
        ttl_s: A worker silent for this long counts as dead, in seconds.
        pool: That this process takes runs of beside those of its directory.
        plan_version: Of the plans that it carries out.
    """

    def __init__(
        self,
        rows: Rows,
        home_id: str,
        *,
        ttl_s: float,
        pool: str | None = None,
        plan_version: str | None = None,
    ) -> None:
        self._rows = rows
        self._home_id = home_id
        self._ttl_s = ttl_s
        self._pool = pool
        self._plan_version = plan_version

    @property
    def _slot(self) -> str:
        return f"{self._home_id}/{this_machine()}"[:200]

    def take(self, executor_id: str, *, is_beside: bool = False) -> bool:
        """Enter this process under a name of its own.

        False if this data directory has a worker on this machine already, unless it is to work
        beside that one.
        """
        process = psutil.Process()
        values = {
            "executor_id": executor_id,
            "home_id": self._home_id,
            "machine": this_machine(),
            "host": socket.gethostname(),
            "pid": process.pid,
            "process_started_at": since_boot(process),
            "renewed_at": _NOW,
            "is_live": 1,
            "slot": None if is_beside else self._slot,
            "pool": self._pool,
            "plan_version": self._plan_version,
        }
        with self._rows() as connection:
            statement = insert(table).values(values).on_conflict_do_nothing()
            entered = connection.execute(statement.returning(table.c.executor_id))
            return entered.first() is not None

    def renew(self, executor_id: str) -> bool:
        """Extend a lease; False if it was lost, and then its holder must stop at once."""
        return self._changed(executor_id, renewed_at=_NOW)

    def rest(self, executor_id: str) -> None:
        """Say that this worker is about to leave, so that whoever wants one starts another."""
        self._changed(executor_id, is_live=0, slot=None)

    def stay(self, executor_id: str, *, is_beside: bool = False) -> bool:
        """Take that back; False if another one has come meanwhile, or the lease was lost."""
        taken = select(table.c.slot).where(table.c.slot == self._slot).exists()
        with self._rows() as connection:
            statement = (
                update(table)
                .where(table.c.executor_id == executor_id)
                .values(is_live=1, slot=None if is_beside else self._slot)
            )
            if not is_beside:
                statement = statement.where(~taken)
            return connection.execute(statement).rowcount == 1

    def leave(self, executor_id: str) -> None:
        """Drop the lease of a worker that takes no more runs and is at none."""
        with self._rows() as connection:
            connection.execute(delete(table).where(table.c.executor_id == executor_id))
            connection.execute(_LET_GO)

    def bury(self, lease: Lease) -> bool:
        """Drop the lease of a dead worker; False if it was renewed since, or is gone."""
        is_it = (table.c.executor_id == lease.executor_id) & (
            table.c.renewed_at == lease.renewed_at
        )
        with self._rows() as connection:
            is_buried = connection.execute(delete(table).where(is_it)).rowcount == 1
            if is_buried:
                connection.execute(_LET_GO)
            return is_buried

    def all(self) -> list[SharedLease]:
        """Return every lease, of all data directories."""
        columns = table.c
        query = select(
            columns.executor_id,
            columns.host,
            columns.pid,
            columns.process_started_at,
            columns.renewed_at,
            columns.is_live,
            columns.home_id,
            columns.machine,
            columns.pool,
            columns.plan_version,
            (_NOW - columns.renewed_at).label("silent_s"),
        ).order_by(columns.executor_id)
        with self._rows() as connection:
            return [SharedLease(*row) for row in connection.execute(query)]

    def ours(self) -> list[SharedLease]:
        """Return the leases of this data directory's workers, on any machine."""
        return [lease for lease in self.all() if lease.home_id == self._home_id]

    def takes_what_we_leave(self, lease: SharedLease) -> bool:
        """Whether a worker carries out plans that we do not, of runs that are ours to take, too."""
        shares = lease.home_id == self._home_id or (self._pool and lease.pool == self._pool)
        return bool(shares) and lease.plan_version != self._plan_version

    def silence_s(self, lease: Lease) -> float:
        """Return how long a lease was silent when it was read, in seconds."""
        assert isinstance(lease, SharedLease)
        return lease.silent_s

    def is_silent(self, lease: Lease) -> bool:
        """Whether a lease had not been renewed in time when it was read."""
        return abs(self.silence_s(lease)) > self._ttl_s

    def has_worker(self) -> bool:
        """Whether this data directory has a worker on this machine that is well and stays."""
        return any(
            lease.is_live and lease.is_here and not self.is_silent(lease) and is_running(lease)
            for lease in self.ours()
        )

    def exists(self) -> bool:
        """Whether there is a place for leases yet."""
        with self._rows() as connection:
            return bool(inspect(connection).has_table(table.name))

    def close(self) -> None:
        """Give connections back."""
        self._rows.close()

    def _changed(self, executor_id: str, **values: object) -> bool:
        with self._rows() as connection:
            statement = update(table).where(table.c.executor_id == executor_id).values(values)
            return connection.execute(statement).rowcount == 1


def is_running(lease: Lease) -> bool:
    """Whether the process of a lease of this machine runs; one we may not look at does."""
    try:
        return is_process_running(lease)
    except psutil.AccessDenied:
        return True
