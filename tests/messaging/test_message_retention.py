"""What becomes of old messages, and what a newcomer is given: the same on every database."""

from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from tests.messaging.letters import ME, THIRD, YOU, Clock, send

from ml_orchestrator.messaging._quotas import Quotas
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.storage import migrations
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import delegations, message_recipients, messages

MANY = Quotas(per_sender=1_000, per_pair=1_000, urgent=1_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(database: Database, clock: Clock) -> SqlMailbox:
    return SqlMailbox(database, shipped=(ME, YOU, THIRD), quotas=MANY, now=clock)


def stored(database: Database) -> list[str]:
    query = select(messages.c.content).order_by(messages.c.seq)
    return list(database.read(lambda connection: connection.scalars(query).all()))


def test_old_messages_that_are_done_with_go_a_few_with_each_send(
    box: SqlMailbox, database: Database, clock: Clock
) -> None:
    read = [send(box, YOU, THIRD) for _ in range(25)]
    for reader in (YOU, THIRD):
        box.acknowledge(reader, read)
    for _ in range(5):
        send(box, YOU, expires_in_s=10)
    clock.pass_days(91)

    left = []
    for n in range(3):
        send(box, YOU, content=f"new {n}")
        left.append(len(stored(database)))

    assert left == [30 - 20 + 1, 2, 3]
    assert stored(database) == ["new 0", "new 1", "new 2"]
    rows = database.read(lambda c: c.scalar(select(func.count()).select_from(message_recipients)))
    assert (rows, box.unread(YOU).n_unread) == (3, 3)


def test_what_is_unread_or_was_just_done_or_has_open_work_stays(
    box: SqlMailbox, database: Database, clock: Clock
) -> None:
    box.acknowledge(YOU, [send(box, content="read by one of two")])
    work = send(box, YOU, message_type="delegation", content="open")
    talk = send(box, ME, sender=YOU, content="about it", reply_to=work)
    box.acknowledge(YOU, [work])
    box.acknowledge(ME, [talk])
    late = send(box, YOU, content="read late")
    clock.pass_days(85)
    box.acknowledge(YOU, [late])
    clock.pass_days(85)

    send(box, YOU, content="new")

    assert stored(database) == ["read by one of two", "open", "about it", "read late", "new"]
    assert [work.message_id for work in box.inbox(YOU).open_delegations] == [work]
    clock.pass_days(10)
    send(box, YOU, content="newer")
    assert "read late" not in stored(database)


def test_closed_work_goes_with_its_messages_and_so_does_expired_work(
    box: SqlMailbox, database: Database, clock: Clock
) -> None:
    work = send(box, YOU, message_type="delegation")
    result = send(
        box, ME, sender=YOU, message_type="delegation_result", reply_to=work,
        metadata={"outcome": "success"},
    )  # fmt: skip
    send(box, YOU, message_type="delegation", expires_in_s=10)
    box.acknowledge(YOU, [work])
    box.acknowledge(ME, [result])
    clock.pass_days(91)

    send(box, THIRD, content="new")

    assert stored(database) == ["new"]
    assert database.read(lambda c: c.scalar(select(func.count()).select_from(delegations))) == 0


def test_however_much_must_stay_what_is_done_with_goes(
    box: SqlMailbox, database: Database, clock: Clock
) -> None:
    for _ in range(45):
        send(box, YOU, content="waits")
    box.acknowledge(THIRD, [send(box, THIRD, content="done")])
    clock.pass_days(91)

    for _ in range(3):
        send(box, THIRD, content="new")

    assert stored(database) == ["waits"] * 45 + ["new"] * 3


def test_a_newcomer_is_given_the_broadcasts_of_the_last_seven_days(
    box: SqlMailbox, clock: Clock
) -> None:
    send(box, content="old")
    clock.pass_days(8)
    send(box, content="of this week")
    clock.pass_days(6)

    as_a_stranger = [m.content for m in box.inbox("newcomer").messages]
    send(box, ME, sender="newcomer")

    assert as_a_stranger == [m.content for m in box.inbox("newcomer").messages] == ["of this week"]
    assert box.unread(YOU).n_unread == 2


def test_messages_of_the_release_before_are_looked_at_first(
    state_url: str, tmp_path: Path, clock: Clock
) -> None:
    database = open_database(state_url, tmp_path)
    box = SqlMailbox(database, shipped=(ME, YOU), quotas=MANY, now=clock)
    box.acknowledge(YOU, [send(box, YOU, content="before")])
    database.write(_take_back_the_migration)
    database.close()

    database = open_database(state_url, tmp_path)
    clock.pass_days(91)
    send(SqlMailbox(database, shipped=(ME, YOU), now=clock), YOU, content="new")

    assert stored(database) == ["new"]
    assert 24 in migrations.ADDITIVE
    database.close()


def _take_back_the_migration(connection: Connection) -> None:
    for statement in (
        "DROP INDEX ix_messages_tidy",
        "ALTER TABLE messages DROP COLUMN tidy_at",
        "DROP TABLE audit_log",  # what came after
        "DELETE FROM schema_version WHERE version >= 24",
    ):
        connection.exec_driver_sql(statement)
