"""What an inbox takes for its query, and which cursors are its own."""

from typing import Any

import pytest
from tests.messaging.letters import ME, THIRD, YOU, send

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.storage.engine import Database


@pytest.fixture
def box(database: Database) -> SqlMailbox:
    return SqlMailbox(database, shipped=(ME, YOU, THIRD))


def test_a_blank_query_of_an_inbox_is_none(box: SqlMailbox) -> None:
    send(box, YOU, content="one")

    assert [
        [m.content for m in box.inbox(YOU, query=query).messages] for query in ("", " \t", None)
    ] == [["one"]] * 3


@pytest.mark.parametrize(
    ("agent", "given"),
    [(THIRD, {}), (YOU, {"query": "x"}), (YOU, {"with_acknowledged": True})],
)
def test_a_cursor_of_another_inbox_or_query_is_refused(
    box: SqlMailbox, agent: str, given: dict[str, Any]
) -> None:
    for _ in range(2):
        send(box)
    cursor = box.inbox(YOU, limit=1).next_cursor

    with pytest.raises(InvalidInputError, match="those of the page before, or leave it out"):
        box.inbox(agent, limit=1, cursor=cursor, **given)
    assert len(box.inbox(YOU, limit=1, cursor=cursor, query=" ").messages) == 1


def test_a_cursor_of_another_tool_is_refused_with_what_to_pass(box: SqlMailbox) -> None:
    with pytest.raises(InvalidInputError, match=r"no cursor of message_inbox\. Pass next_cursor"):
        box.inbox(YOU, cursor="10/5/2026-01-01T00:00:00.000000+00:00/0123abcd")
