"""Schedules in the state database: put, removed, listed, and claimed once for each time due."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.orchestration.schedules.cadence import Cadence
from ml_orchestrator.orchestration.schedules.models import Due, Schedule
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import schedules as table
from ml_orchestrator.text import cut

__all__ = ["HAND_OVER_S", "Schedules"]

HAND_OVER_S = 60.0  # a worker that has not settled what it claimed by then has died
MAX_ERROR = 1_000
Noted: TypeAlias = Callable[[Connection], object]


def _unnoted(_: Connection) -> None:
    """Leave a change out of the audit log: whoever made it entered it there."""


class Schedules:
    """The schedules of a database. Thread- and process-safe; each call one transaction.

    One belongs to the data directory that put it, as what it starts needs files of that: workers of
    others neither start it nor stay for it.

    Args:
        database: The state database.
        home_id: The data directory, where others may share its database; None: all is its own.
        now: The time, in UTC.
    """

    def __init__(
        self,
        database: Database,
        *,
        home_id: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._home_id = home_id
        self._now = now

    def put(
        self,
        kind: str,
        key: str,
        cadence: Cadence,
        *,
        owner: str,
        is_enabled: bool = True,
        stays: bool = False,
        content: str | None = None,
        noted: Noted = _unnoted,
    ) -> Schedule:
        """Keep a schedule, or change the one of this kind and key.

        ``content`` is what will be started, where no other table has it: old runs that it names are
        kept. ``noted`` is called in the transaction that does it.

        With the cadence that it had it is due when it was; with another one, or when it is
        enabled again, it is planned anew from now. From then on it is of this data directory,
        unless it ``stays`` where it was.
        """
        now = self._now()

        def work(connection: Connection) -> Schedule:
            row = connection.execute(select(table).where(_named(kind, key))).first()
            values: dict[str, Any] = {"owner": owner, "is_enabled": int(is_enabled), **_of(cadence)}
            is_kept = row is not None and row.is_enabled and _cadence(row) == cadence
            if not is_kept:
                values |= {"handed_to": None, "handed_at": None}
                values["next_due_at"] = timestamp(cadence.following(now))
            if row is None or not stays:
                values["home_id"] = self._home_id
            if content is not None:
                values["content"] = content
            if row is None:
                values |= {"kind": kind, "key": key, "n_due": 0, "created_at": timestamp(now)}
                connection.execute(insert(table).values(values))
            else:
                connection.execute(update(table).where(_named(kind, key)).values(values))
            noted(connection)
            return _schedule(connection.execute(select(table).where(_named(kind, key))).one())

        return self._database.write(work)

    def remove(self, kind: str, key: str, *, noted: Noted = _unnoted) -> bool:
        """Forget a schedule and call ``noted``; False if there was none."""

        def work(connection: Connection) -> bool:
            if not connection.execute(delete(table).where(_named(kind, key))).rowcount:
                return False
            noted(connection)
            return True

        return self._database.write(work)

    def list(self, kind: str | None = None) -> "list[Schedule]":
        """Return all schedules, or those of one kind, by kind and key."""
        query = select(table).order_by(table.c.kind, table.c.key)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [_schedule(row) for row in rows]

    def has_enabled(self) -> bool:
        """Whether a worker of this data directory has to stay for any of them."""
        query = select(table.c.kind).where(self._is_ours()).limit(1)
        return self._database.read(lambda connection: connection.execute(query).first()) is not None

    def trigger(self, kind: str, key: str) -> Schedule:
        """Make an enabled schedule due now, once; then it goes on as planned.

        Raises:
            NotFoundError: there is none that is enabled.
        """
        is_it = _named(kind, key) & (table.c.is_enabled == 1)

        def work(connection: Connection) -> Row[Any] | None:
            values = {"next_due_at": timestamp(self._now())}
            connection.execute(update(table).where(is_it).values(values))
            return connection.execute(select(table).where(is_it)).first()

        if (row := self._database.write(work)) is None:
            raise NotFoundError(f"No schedule of kind {kind!r} named {key!r} is enabled.")
        return _schedule(row)

    def claim(self, claimant: str) -> Due | None:
        """Take one time that came due, or that a dead worker left; None if there is none.

        However many times have passed since the last one, this one stands for them all.
        """
        now = self._now()
        is_ours = self._is_ours()
        if self._database.read(lambda connection: _first_due(connection, is_ours, now)) is None:
            return None  # without the write lock, which others need

        def work(connection: Connection) -> Due | None:
            row = _first_due(connection, is_ours, now)
            return None if row is None else _claimed(connection, row, claimant, now)

        return self._database.write(work)

    def settle(self, due: Due, *, error: str | None = None) -> None:
        """Note that the function of a claimed time has returned, or why it failed."""
        is_it = _named(due.kind, due.key) & (table.c.n_due == due.number)
        said = error and cut(error, MAX_ERROR)
        values = {"handed_to": None, "handed_at": None, "last_error": said}
        self._database.write(
            lambda connection: connection.execute(update(table).where(is_it).values(values))
        )

    def replan(self) -> None:
        """Plan anew what lies further ahead than it can: the clock was set back."""
        now = self._now()
        query = select(table).where(self._is_ours())
        rows = self._database.read(lambda connection: connection.execute(query).all())
        for row in (row for row in rows if _is_astray(row, now)):
            self._plan_anew(row, now)

    def _is_ours(self) -> ColumnElement[bool]:
        """Whether a worker of this data directory is to start it."""
        is_enabled = table.c.is_enabled == 1
        if self._home_id is None:
            return is_enabled
        return is_enabled & or_(table.c.home_id == self._home_id, table.c.home_id.is_(None))

    def _plan_anew(self, row: Row[Any], now: datetime) -> None:
        is_it = _named(row.kind, row.key) & (table.c.next_due_at == row.next_due_at)
        values = {"next_due_at": timestamp(_cadence(row).following(now))}
        self._database.write(
            lambda connection: connection.execute(update(table).where(is_it).values(values))
        )


def _first_due(
    connection: Connection, is_ours: ColumnElement[bool], now: datetime
) -> Row[Any] | None:
    at = timestamp(now)
    early, late = (timestamp(now + timedelta(seconds=s)) for s in (-HAND_OVER_S, HAND_OVER_S))
    is_free = table.c.handed_to.is_(None) & (table.c.next_due_at <= at)
    is_left = table.c.handed_to.is_not(None) & (
        (table.c.handed_at < early) | (table.c.handed_at > late)  # late: the clock was set back
    )
    query = (
        select(table)
        .where(is_ours, or_(is_free, is_left))
        .order_by(table.c.next_due_at, table.c.kind, table.c.key)
        .limit(1)
    )
    return connection.execute(query).first()


def _claimed(connection: Connection, row: Row[Any], claimant: str, now: datetime) -> Due | None:
    """Compare and set: of those who saw the row as it is, one gets it."""
    is_as_seen = _named(row.kind, row.key) & (table.c.n_due == row.n_due)
    values: dict[str, Any] = {"handed_to": claimant, "handed_at": timestamp(now)}
    if row.handed_to is None:
        due_at, number = _moment(row.next_due_at), row.n_due + 1
        is_as_seen &= table.c.next_due_at == row.next_due_at
        following = _cadence(row).following(now, since=due_at)
        values |= {"n_due": number, "last_due_at": row.next_due_at}
        values["next_due_at"] = timestamp(following)
    else:
        due_at, number = _moment(row.last_due_at), row.n_due
        is_as_seen &= table.c.handed_at == row.handed_at
    if connection.execute(update(table).where(is_as_seen).values(values)).rowcount != 1:
        return None
    return Due(row.kind, row.key, row.owner, due_at, number, row.created_at)


def _is_astray(row: Row[Any], now: datetime) -> bool:
    cadence = _cadence(row)
    return _moment(row.next_due_at) > cadence.following(cadence.following(now))


def _named(kind: str, key: str) -> Any:
    return (table.c.kind == kind) & (table.c.key == key)


def _of(cadence: Cadence) -> dict[str, Any]:
    return {"cron": cadence.cron, "every_s": cadence.every_s, "zone": cadence.zone}


def _cadence(row: Row[Any]) -> Cadence:
    return Cadence.model_construct(cron=row.cron, every_s=row.every_s, zone=row.zone)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(
        kind=row.kind,
        key=row.key,
        owner=row.owner,
        cadence=_cadence(row),
        is_enabled=bool(row.is_enabled),
        next_due_at=_moment(row.next_due_at),
        last_due_at=None if row.last_due_at is None else _moment(row.last_due_at),
        n_due=row.n_due,
        last_error=row.last_error,
    )
