"""Whom a reply goes to that names nobody, and which priorities metadata may give."""

from pathlib import Path
from typing import Any

import pytest
from tests.messaging.letters import ME, THIRD, YOU, send

from ml_orchestrator.agent_memory import AgentMemoryManager
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.messaging.models import SERVER_SENDERS
from ml_orchestrator.orchestration.monitors import telling as monitors
from ml_orchestrator.orchestration.pipelines import telling as pipelines
from ml_orchestrator.orchestration.rollouts import telling as rollouts
from ml_orchestrator.storage.engine import Database


@pytest.fixture
def box(database: Database) -> SqlMailbox:
    return SqlMailbox(database, shipped=(ME, YOU, THIRD))


def reply(box: SqlMailbox, message_id: str, *, sender: str) -> list[str]:
    """Reply without naming anybody; return who will see it."""
    sent = box.send(sender, message_type="insight", content="re", reply_to=message_id)
    return sent.recipients


@pytest.mark.parametrize("to", [(), (YOU,), (YOU, THIRD)])
def test_a_reply_that_names_nobody_goes_to_who_wrote_what_it_answers(
    box: SqlMailbox, to: tuple[str, ...]
) -> None:
    question = send(box, *to)

    assert reply(box, question, sender=YOU) == [ME]
    assert [m.content for m in box.inbox(ME).messages] == ["re"]
    assert "re" not in [m.content for m in box.inbox(THIRD).messages]


@pytest.mark.parametrize("to", [(), (YOU,), (THIRD, YOU), (ME,), (ME, YOU)])
def test_what_is_added_to_a_message_of_ones_own_goes_to_those_who_got_that(
    box: SqlMailbox, to: tuple[str, ...]
) -> None:
    first = send(box, *to)

    others = sorted(set(to) - {ME}) or [*to]
    assert reply(box, first, sender=ME) == (others or ["*"])


@pytest.mark.parametrize("sender", SERVER_SENDERS)
def test_a_reply_to_the_server_goes_to_the_others_who_were_told(
    box: SqlMailbox, sender: str
) -> None:
    alert = send(box, ME, YOU, THIRD, sender=sender)
    to_me_alone = send(box, ME, sender=sender)

    assert reply(box, alert, sender=ME) == [THIRD, YOU]
    assert reply(box, to_me_alone, sender=ME) == [sender]


def test_the_servers_senders_are_those_it_writes_as() -> None:
    written = {monitors.SENDER, rollouts.SENDER, *pipelines._SENDERS.values()}

    assert written == set(SERVER_SENDERS)


def test_a_reply_that_names_somebody_goes_there(box: SqlMailbox) -> None:
    question = send(box, YOU)
    sent = box.send(
        YOU, message_type="insight", content="re", target_agents=[THIRD], reply_to=question
    )

    assert sent.recipients == [THIRD]


def test_a_retry_of_a_reply_that_went_to_all_before_returns_what_is_stored(
    box: SqlMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = send(box, YOU)
    letter: dict[str, Any] = {"message_type": "insight", "content": "re", "reply_to": question}
    with monkeypatch.context() as before:
        before.setattr(
            "ml_orchestrator.messaging._sql.reply_addressed", lambda _, request, __: request
        )
        stored = box.send(YOU, **letter, idempotency_key="k")

    assert stored.recipients == ["*"]
    assert box.send(YOU, **letter, idempotency_key="k") == stored


@pytest.mark.parametrize(
    ("priority", "shown"),
    [("asap", "'asap'"), (3, "'3'"), ("HIGH", "'HIGH' (did you mean 'high'?)"), ([], "'[]'")],
)
def test_a_priority_in_metadata_that_is_none_is_refused(
    box: SqlMailbox, priority: object, shown: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        send(box, YOU, metadata={"priority": priority})

    assert str(refused.value) == (
        f"No priority {shown} in metadata; known: low, medium, high, urgent. Nothing was sent."
    )
    assert box.inbox(YOU).messages == []


def test_pasted_python_is_refused_with_the_same_words(tmp_path: Path) -> None:
    with (
        AgentMemoryManager(tmp_path) as manager,
        pytest.raises(InvalidInputError, match="No priority 'asap' in metadata; known: low"),
    ):
        manager.add_inter_agent_message(ME, "insight", "x", [YOU], {"priority": "asap"})


def test_beside_a_priority_metadata_are_data_and_null_is_none(box: SqlMailbox) -> None:
    send(box, YOU, metadata={"priority": 1}, priority="high")
    send(box, YOU, metadata={"priority": None})

    found = box.inbox(YOU).messages
    assert [(m.priority, m.metadata["priority"]) for m in found] == [("high", 1), ("medium", None)]


def test_a_retry_of_what_an_earlier_release_took_for_medium_returns_what_is_stored(
    box: SqlMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd: dict[str, Any] = {"metadata": {"priority": "asap"}, "idempotency_key": "k"}
    with monkeypatch.context() as before:
        before.setattr("ml_orchestrator.messaging._sql.check_priority", lambda *_: None)
        stored = send(box, YOU, **odd)

    assert send(box, YOU, **odd) == stored
    assert len(box.inbox(YOU).messages) == 1
