"""Delegations, quotas, letters that reach nobody and counts: the same on every database."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from tests.messaging.letters import ME, THIRD, YOU, Clock, send

from ml_orchestrator.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    QuotaExceededError,
)
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.messaging import _dead_letters
from ml_orchestrator.messaging._quotas import Quotas
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.storage import migrations
from ml_orchestrator.storage.engine import Database, open_database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(database: Database, clock: Clock) -> SqlMailbox:
    quotas = Quotas(per_sender=8, per_pair=4, urgent=2)
    return SqlMailbox(database, shipped=(ME, YOU, THIRD), quotas=quotas, now=clock)


def contents(box: SqlMailbox, agent: str, **given: Any) -> list[str]:
    return [m.content for m in box.inbox(agent, **given).messages]


def answer(box: SqlMailbox, message_id: str, outcome: str | None, sender: str = YOU) -> str:
    metadata = {} if outcome is None else {"outcome": outcome}
    return send(
        box, ME, sender=sender, message_type="delegation_result", reply_to=message_id,
        metadata=metadata,
    )  # fmt: skip


def test_a_delegation_is_open_for_both_until_its_result_and_counted_once(
    box: SqlMailbox, database: Database
) -> None:
    first = send(box, YOU, message_type="delegation", metadata={"task_type": "latency"})
    second = send(box, YOU, message_type="delegation", reply_to=first)
    waiting = [[d.message_id for d in box.inbox(a).open_delegations] for a in (ME, YOU, THIRD)]

    answer(box, second, "failure")
    with pytest.raises(ConflictError, match="0 delegations"):
        answer(box, second, "success", sender=THIRD)
    answer(box, first, "success")
    with pytest.raises(ConflictError, match=rf"{first} was answered by {YOU} \(success\)"):
        answer(box, first, "success")

    assert waiting == [[first, second], [first, second], []]
    assert box.inbox(YOU).open_delegations == []
    memory = SqlMemoryStore(database)
    for agent, colleague in ((ME, YOU), (YOU, ME)):
        (found,) = memory.load(agent).collaboration_patterns.frequent_collaborators
        assert (found.agent_name, found.collaboration_frequency) == (colleague, 2)
        assert found.success_rate_by_task == {"latency": 1.0, "delegation": 0.0}


def test_work_is_found_that_came_after_a_mark_and_waits_unread(
    box: SqlMailbox, clock: Clock
) -> None:
    before = send(box, YOU, message_type="delegation")
    mark = box.mark()
    send(box, YOU)
    send(box, YOU, message_type="delegation", content="passed", expires_in_s=10)
    work = send(box, YOU, message_type="delegation", content="asked")
    done = answer(box, before, "success")
    clock.pass_s(11)

    assert [m.message_id for m in box.work_after(YOU, mark)] == [work]
    assert [m.message_id for m in box.work_after(ME, mark)] == [done]
    assert box.work_after(THIRD, mark) == []
    box.acknowledge(YOU, [work])
    assert box.work_after(YOU, mark) == box.work_after(ME, box.mark()) == []


def test_the_mark_of_an_empty_mailbox_lies_before_its_first_message(box: SqlMailbox) -> None:
    mark = box.mark()
    work = send(box, YOU, message_type="delegation")

    assert [m.message_id for m in box.work_after(YOU, mark)] == [work]


def test_a_result_that_names_no_open_delegation_of_several_is_refused(box: SqlMailbox) -> None:
    first = send(box, YOU, message_type="delegation")
    send(box, YOU, message_type="delegation", reply_to=first)
    note = send(box, ME, sender=YOU, reply_to=first)

    with pytest.raises(ConflictError, match="2 delegations of this thread are open"):
        answer(box, note, "success")


@pytest.mark.parametrize("to", [(), (YOU, THIRD)])
def test_a_delegation_has_one_target(box: SqlMailbox, to: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match=f"one target; found {len(to)}"):
        send(box, *to, message_type="delegation")


def test_nobody_delegates_to_itself(box: SqlMailbox) -> None:
    with pytest.raises(InvalidInputError, match="cannot delegate to itself"):
        send(box, ME, message_type="delegation")


@pytest.mark.parametrize("outcome", [None, "great"])
def test_a_result_says_how_it_went(box: SqlMailbox, outcome: str | None) -> None:
    first = send(box, YOU, message_type="delegation")
    with pytest.raises(InvalidInputError, match=r"metadata\.outcome"):
        answer(box, first, outcome)


def test_a_delegation_that_expired_is_no_longer_open(box: SqlMailbox, clock: Clock) -> None:
    send(box, YOU, message_type="delegation", expires_in_s=10)
    clock.pass_s(11)
    assert box.inbox(YOU).open_delegations == []


def test_the_quota_to_one_agent_is_below_that_of_the_sender(box: SqlMailbox, clock: Clock) -> None:
    for _ in range(4):
        send(box, YOU)
        clock.pass_s(1)
    with pytest.raises(QuotaExceededError, match=rf"4 messages of {ME} to {YOU}.*in 56 s"):
        send(box, YOU)
    for _ in range(4):
        send(box, THIRD)
    with pytest.raises(QuotaExceededError, match=rf"8 messages of {ME} within 60 s; at most 8"):
        send(box)

    clock.pass_s(57)
    send(box, YOU)
    assert len(box.inbox(YOU).messages) == 5


def test_broadcasts_count_for_the_quota_to_each_of_their_readers(
    box: SqlMailbox, clock: Clock
) -> None:
    for _ in range(4):
        send(box)
    with pytest.raises(QuotaExceededError, match=rf"4 messages of {ME} to {THIRD}"):
        send(box)
    with pytest.raises(QuotaExceededError, match=rf"4 messages of {ME} to {YOU}"):
        send(box, YOU)
    clock.pass_s(61)
    send(box)


def test_urgent_messages_have_a_quota_of_their_own(box: SqlMailbox, clock: Clock) -> None:
    for _ in range(2):
        send(box, YOU, priority="urgent")
    with pytest.raises(QuotaExceededError, match="2 urgent messages"):
        send(box, THIRD, priority="urgent")
    send(box, THIRD, priority="high")


def test_a_refused_message_leaves_nothing_and_a_retry_with_its_key_sends(
    box: SqlMailbox, clock: Clock
) -> None:
    for _ in range(4):
        send(box, YOU)
    with pytest.raises(QuotaExceededError):
        send(box, YOU, content="later", idempotency_key="k")
    clock.pass_s(61)
    assert send(box, YOU, content="later", idempotency_key="k") == send(
        box, YOU, content="later", idempotency_key="k"
    )
    assert contents(box, YOU) == ["x"] * 4 + ["later"]


def test_letters_to_strangers_are_kept_for_their_sender_and_make_room(
    box: SqlMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_dead_letters, "MOST_KEPT", 3)
    for number in range(5):
        with pytest.raises(NotFoundError, match="kept as a dead one"):
            send(box, "nobody", YOU, content=f"letter {number}")

    letters = box.dead_letters(ME).letters
    assert [letter.content for letter in letters] == ["letter 4", "letter 3", "letter 2"]
    assert {letter.to_agent for letter in letters} == {"nobody"}
    assert (box.inbox(ME).n_dead_letters, box.inbox(YOU).n_dead_letters) == (3, 0)
    assert contents(box, YOU) == []


def test_a_letter_that_is_tried_again_is_kept_once_and_for_ninety_days(
    box: SqlMailbox, clock: Clock
) -> None:
    for _ in range(3):
        with pytest.raises(NotFoundError):
            send(box, "nobody", content="lost", idempotency_key="k")
    send(box, YOU, ack_wanted=True, expires_in_s=10)
    clock.pass_s(89 * 86_400)
    kept = (len(box.dead_letters(ME).letters), box.inbox(ME).n_dead_letters)
    clock.pass_s(86_400 + 11)

    assert kept == (2, 2)
    assert (box.dead_letters(ME).letters, box.inbox(ME).n_dead_letters) == ([], 0)


def test_a_letter_whose_sender_waited_in_vain_is_dead_once_it_expired(
    box: SqlMailbox, clock: Clock
) -> None:
    send(box, YOU, content="answer me", ack_wanted=True, expires_in_s=10)
    read = send(box, YOU, content="read", ack_wanted=True, expires_in_s=10)
    send(box, YOU, content="no matter", expires_in_s=10)
    box.acknowledge(YOU, [read])
    assert box.inbox(ME).n_dead_letters == 0

    clock.pass_s(11)

    (letter,) = box.dead_letters(ME).letters
    assert (letter.to_agent, letter.content) == (YOU, "answer me")
    assert box.inbox(ME).n_dead_letters == 1


def test_a_thread_is_in_order_and_says_who_has_dealt_with_what(box: SqlMailbox) -> None:
    first = send(box, YOU, THIRD, content="one", ack_wanted=True)
    send(box, ME, sender=YOU, content="two", reply_to=first)
    send(box, ME, YOU, sender=THIRD, content="three", reply_to=first)
    box.acknowledge(YOU, [first])

    thread = box.thread(first)

    assert [m.message.content for m in thread.messages] == ["one", "two", "three"]
    assert thread.n_messages == 3
    assert (set(thread.messages[0].acknowledged_by), thread.messages[0].waiting_for) == (
        {YOU},
        [THIRD],
    )
    assert thread.messages[2].waiting_for == [ME, YOU]
    with pytest.raises(NotFoundError, match="No thread 'none'"):
        box.thread("none")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("AUC", ["auc 0.7 %", "AUC_x"]),
        ("%", ["auc 0.7 %"]),
        ("c_", ["AUC_x"]),
        ("zz", []),
        ("Ärger", ["Ärger im Überblick"]),
        ("über", ["Ärger im Überblick"]),
        ("ПРИВЕТ", ["Привет, мир"]),
    ],
)
def test_a_query_is_text_and_no_pattern(box: SqlMailbox, query: str, found: list[str]) -> None:
    for content in ("auc 0.7 %", "AUC_x", "other"):
        send(box, YOU, content=content)
    for content in ("Ärger im Überblick", "Привет, мир"):
        send(box, YOU, sender=THIRD, content=content)
    assert contents(box, YOU, query=query) == found


def test_counts_are_of_what_is_live_and_unread_whoever_asks(
    box: SqlMailbox, database: Database, clock: Clock
) -> None:
    done = send(box, content="done", priority="high")
    send(box, content="soon over", priority="urgent", expires_in_s=10)
    send(box, YOU, content="you only")
    box.acknowledge(YOU, [done])
    counts = {agent: box.unread(agent) for agent in (ME, YOU, THIRD, "stranger")}
    assert {a: (u.n_unread, u.n_urgent) for a, u in counts.items()} == {
        ME: (0, 0), YOU: (2, 1), THIRD: (2, 1), "stranger": (2, 1)
    }  # fmt: skip
    assert counts["stranger"].urgent == ["soon over"]

    clock.pass_s(11)
    SqlMemoryStore(database, now=clock).save("newcomer", task=_task())
    assert [box.unread(a).n_unread for a in (YOU, THIRD, "newcomer")] == [1, 1, 1]
    assert contents(box, "newcomer") == ["done"]
    with pytest.raises(NotFoundError):
        box.acknowledge("newcomer", ["nothing"])


def test_what_an_inbox_asks_is_answered_from_indexes(box: SqlMailbox, database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("the plan is SQLite's")
    send(box, YOU, priority="urgent")
    said: list[str] = []

    def listen(connection: Connection, note: Callable[[str], None] | None) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(note)

    database.read(lambda connection: listen(connection, said.append))
    box.inbox(YOU)
    box.unread(YOU)
    database.read(lambda connection: listen(connection, None))
    asked = [statement for statement in said if statement.startswith("SELECT")]

    def plan(connection: Connection) -> list[str]:
        found = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}") for query in asked]
        return [row[3] for rows in found for row in rows]

    steps = database.read(plan)
    assert len(asked) >= 6
    assert {step for step in steps if step.startswith("SCAN")} <= {"SCAN CONSTANT ROW"}
    assert [step for step in steps if "TEMP B-TREE FOR RIGHT PART" in step] == []
    assert any("COVERING INDEX ix_recipient_inbox" in step for step in steps)
    assert any("INDEX ix_recipient_expiring (agent=? AND expires_at>?)" in step for step in steps)


def test_the_database_keeps_the_count_of_what_is_unread_whoever_writes(
    box: SqlMailbox, database: Database, clock: Clock
) -> None:
    for priority in ("urgent", "low", "urgent", "medium"):
        send(box, YOU, priority=priority)
    clock.pass_s(61)  # beyond what quotas look at
    send(box, YOU, expires_in_s=10)
    send(box)
    changes = (
        "UPDATE message_recipients SET acknowledged_at = 'x' WHERE message_seq IN (1, 5)",
        "UPDATE message_recipients SET acknowledged_at = NULL WHERE message_seq = 1",
        "UPDATE message_recipients SET rank = 0 WHERE message_seq = 2",
        "DELETE FROM message_recipients WHERE message_seq = 3",
        "UPDATE message_recipients SET expires_at = NULL WHERE message_seq = 5",
        "UPDATE message_recipients SET rank = NULL WHERE message_seq = 1",
        "UPDATE message_recipients SET rank = 0 WHERE message_seq = 1",
        "UPDATE message_recipients SET expires_at = '2020' WHERE message_seq = 4",
    )
    counts = []
    for change in changes:
        run(database, change)
        counts.append(database.read(_kept_and_counted))

    assert [kept for kept, _ in counts] == [counted for _, counted in counts]
    assert counts[-1][0] == {YOU: (3, 2), THIRD: (1, 0)}


@pytest.mark.parametrize("name", ["per_sender", "per_pair", "urgent"])
def test_a_quota_under_which_nothing_could_be_sent_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} is 0 .*Give 1 or more"):
        Quotas(**{name: 0})


def test_counts_come_to_a_database_of_the_release_before(
    state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as release_before:
        for number in [number for number in migrations.MIGRATIONS if number > 8]:
            release_before.delitem(migrations.MIGRATIONS, number)
        database = open_database(state_url, tmp_path)
        add = "INSERT INTO messages (seq, id, thread_id, from_agent, type, priority, is_broadcast, "
        add += "content, metadata_json, created_at) VALUES "
        row = "({n}, 'm{n}', 'm{n}', 'a', 'insight', 1, 0, 'x', '{{}}', '2026')"
        to_reader = "INSERT INTO message_recipients (message_seq, agent, rank) VALUES ({n}, 'b', 0)"
        for n in (1, 2):
            for statement in (add + row.format(n=n), to_reader.format(n=n)):
                run(database, statement)
        run(database, "UPDATE message_recipients SET acknowledged_at = 'x' WHERE message_seq = 1")
        database.close()

    database = open_database(state_url, tmp_path)

    assert database.read(_kept_and_counted)[0] == {"b": (1, 1)}
    database.close()


def run(database: Database, statement: str) -> None:
    database.write(lambda connection: connection.exec_driver_sql(statement))


def _kept_and_counted(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the counts that are kept, and the same counted row by row."""
    kept = connection.exec_driver_sql("SELECT agent, n, n_urgent FROM unread_counts")
    rows = connection.exec_driver_sql(
        "SELECT agent, rank FROM message_recipients "
        "WHERE acknowledged_at IS NULL AND expires_at IS NULL"
    ).all()
    counted = {
        agent: (sum(r.agent == agent for r in rows), sum(r == (agent, 0) for r in rows))
        for agent in {r.agent for r in rows}
    }
    return {row.agent: (row.n, row.n_urgent) for row in kept if row.n}, counted


def _task() -> Any:
    from ml_orchestrator.memory.models import Task

    return Task(task_description="x", outcome="success")
