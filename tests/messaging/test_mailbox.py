"""The contract of a mailbox."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from tests.storage.first_release import create_first_release

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.messaging.mailbox import Mailbox
from ml_orchestrator.messaging.models import Priority
from ml_orchestrator.storage.engine import Database, open_database, timestamp

ME, YOU, THIRD = "ml-orchestrator", "performance-engineer", "infrastructure-specialist"


@pytest.fixture
def mailbox(database: Database) -> Mailbox:
    return SqlMailbox(database, shipped=(ME, YOU, THIRD))


def send(mailbox: Mailbox, content: str, *to: str, priority: Priority = "medium") -> str:
    sent = mailbox.send(
        ME, message_type="insight", content=content, target_agents=to, priority=priority
    )
    return sent.message_id


def contents(mailbox: Mailbox, agent: str) -> list[str]:
    return [m.content for m in mailbox.inbox(agent).messages]


def test_a_message_reaches_its_target_and_nobody_else(mailbox: Mailbox) -> None:
    send(mailbox, "hello", YOU)

    assert contents(mailbox, YOU) == ["hello"]
    assert contents(mailbox, THIRD) == []
    assert contents(mailbox, ME) == []


def test_a_broadcast_reaches_everybody_but_its_sender(mailbox: Mailbox) -> None:
    send(mailbox, "all")

    assert contents(mailbox, YOU) == contents(mailbox, "comes-later") == ["all"]
    assert contents(mailbox, ME) == []


def test_reading_leaves_unread_and_acknowledging_is_per_reader(mailbox: Mailbox) -> None:
    message_id = send(mailbox, "all")
    assert mailbox.inbox(YOU).n_unread == mailbox.inbox(YOU).n_unread == 1

    done = mailbox.acknowledge(YOU, [message_id])
    again = mailbox.acknowledge(YOU, [message_id])

    assert (done.acknowledged, done.already) == ([message_id], [])
    assert mailbox.unread(YOU).n_unread == 0
    assert (again.acknowledged, again.already) == ([], [message_id])
    assert contents(mailbox, THIRD) == ["all"]
    (kept,) = mailbox.inbox(YOU, with_acknowledged=True).messages
    assert kept.acknowledged_at is not None


def test_urgent_comes_first_then_the_oldest_and_pages_cover_all(mailbox: Mailbox) -> None:
    for i in range(3):
        send(mailbox, f"m{i}", YOU)
    send(mailbox, "now", YOU, priority="urgent")
    send(mailbox, "later", YOU, priority="low")

    seen: list[str] = []
    cursor = None
    while True:
        page = mailbox.inbox(YOU, limit=2, cursor=cursor)
        seen += [m.content for m in page.messages]
        assert (page.n_unread, page.n_urgent) == (5, 1)
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ["now", "m0", "m1", "m2", "later"]


def test_a_reply_joins_the_thread(mailbox: Mailbox) -> None:
    first = send(mailbox, "question", YOU)
    reply = mailbox.send(
        YOU, message_type="insight", content="answer", target_agents=[ME], reply_to=first
    )

    assert reply.thread_id == first


def test_an_expired_message_is_not_delivered(mailbox: Mailbox) -> None:
    mailbox.send(ME, message_type="insight", content="old", target_agents=[YOU], expires_in_s=1e-6)

    assert contents(mailbox, YOU) == []


def test_an_unknown_recipient_is_named_with_the_known_ones(mailbox: Mailbox) -> None:
    with pytest.raises(NotFoundError, match=r"'performance-enginer'.*performance-engineer"):
        send(mailbox, "typo", YOU, "performance-enginer")

    assert contents(mailbox, YOU) == []


def test_acknowledging_somebody_elses_message_marks_nothing(mailbox: Mailbox) -> None:
    mine = send(mailbox, "for you", YOU)
    theirs = send(mailbox, "for the third", THIRD)

    with pytest.raises(NotFoundError, match=theirs):
        mailbox.acknowledge(YOU, [mine, theirs])

    assert mailbox.inbox(YOU).n_unread == 1


def test_replying_to_nothing_is_refused(mailbox: Mailbox) -> None:
    with pytest.raises(NotFoundError, match="message_inbox"):
        mailbox.send(ME, message_type="insight", content="x", reply_to="missing")


def test_a_retry_with_the_same_key_sends_once(mailbox: Mailbox) -> None:
    def attempt(content: str) -> str:
        sent = mailbox.send(
            ME, message_type="insight", content=content, target_agents=[YOU], idempotency_key="k"
        )
        return sent.message_id

    assert attempt("once") == attempt("once")
    assert contents(mailbox, YOU) == ["once"]
    with pytest.raises(ConflictError):
        attempt("other")


def test_a_cursor_that_is_none_is_refused(mailbox: Mailbox) -> None:
    with pytest.raises(InvalidInputError, match="next_cursor"):
        mailbox.inbox(YOU, cursor="1; drop table")


def test_messages_of_the_first_release_are_still_there_to_read(
    state_url: str, tmp_path: Path
) -> None:
    engine = create_engine(state_url)
    today = timestamp()
    row = f"(1, 'b', 'b', '{ME}', 'insight', 3, 1, 'to all', '{{}}', '{today}', NULL)"
    direct = "(2, 'd', 'd', 'ml-orchestrator', 'insight', 1, 0, 'to you', '{}', '2026', NULL)"
    with engine.begin() as connection:
        create_first_release(connection)
        connection.execute(text(f"INSERT INTO agents VALUES ('{THIRD}', 'now')"))
        connection.execute(
            text(
                "INSERT INTO messages (seq, id, thread_id, from_agent, type, priority, "
                "is_broadcast, content, metadata_json, created_at, expires_at) "
                f"VALUES {row}, {direct}"
            )
        )
        connection.execute(
            text(f"INSERT INTO message_recipients VALUES (2, '{YOU}', NULL), (1, '{YOU}', 'now')")
        )
    engine.dispose()

    database = open_database(state_url, tmp_path)
    box = SqlMailbox(database, shipped=(ME, YOU))
    assert contents(box, THIRD) == contents(box, "comes-later") == ["to all"]
    assert (contents(box, YOU), box.unread(THIRD).n_urgent) == (["to you"], 1)
    database.close()
