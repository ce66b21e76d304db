"""How delegated work ends: by its result, too late, or taken back; the same on every database."""

import pytest
from tests.messaging.letters import ME, THIRD, YOU, Clock, send

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.storage.engine import Database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(database: Database, clock: Clock) -> SqlMailbox:
    return SqlMailbox(database, shipped=(ME, YOU, THIRD), now=clock)


def answer(box: SqlMailbox, message_id: str, outcome: str, *to: str) -> str:
    return send(
        box, *(to or (ME,)), sender=YOU, message_type="delegation_result", reply_to=message_id,
        metadata={"outcome": outcome},
    )  # fmt: skip


def contents(box: SqlMailbox, agent: str) -> list[str]:
    return [m.content for m in box.inbox(agent).messages]


def test_a_result_that_goes_past_its_delegator_is_refused_and_the_work_stays_open(
    box: SqlMailbox,
) -> None:
    work = send(box, YOU, message_type="delegation")

    with pytest.raises(InvalidInputError, match=rf"goes to {ME}.*Add {ME} to target_agents"):
        answer(box, work, "success", THIRD)
    still_open = [d.message_id for d in box.inbox(ME).open_delegations]
    answer(box, work, "success", THIRD, ME)

    assert still_open == [work]
    assert contents(box, ME) == contents(box, THIRD) == ["x"]
    assert box.inbox(ME).open_delegations == []


def test_a_result_or_a_withdrawal_without_targets_goes_to_the_other_one_alone(
    box: SqlMailbox,
) -> None:
    work = send(box, YOU, message_type="delegation", content="do it")
    send(
        box, sender=YOU, message_type="delegation_result", reply_to=work,
        metadata={"outcome": "success"}, content="done",
    )  # fmt: skip
    other = send(box, YOU, message_type="delegation", content="and this")
    send(box, message_type="delegation_withdrawn", reply_to=other, content="never mind")

    assert contents(box, ME) == ["done"]
    assert contents(box, THIRD) == []
    assert "never mind" in contents(box, YOU)
    assert box.inbox(YOU).open_delegations == []


def test_work_that_was_answered_waits_no_more_in_the_inbox_of_who_answered(
    box: SqlMailbox,
) -> None:
    work = send(box, YOU, message_type="delegation", content="do it")
    assert contents(box, YOU) == ["do it"]
    answer(box, work, "success")

    assert contents(box, YOU) == []
    assert box.unread(YOU).n_unread == 0
    assert box.acknowledge(YOU, [work]).already == [work]
    assert contents(box, ME) == ["x"]


def test_a_misspelt_colleague_is_told_who_was_perhaps_meant(box: SqlMailbox) -> None:
    with pytest.raises(NotFoundError, match=rf"'{YOU[:-1]}' \(did you mean '{YOU}'\?\)"):
        send(box, YOU[:-1])


def test_a_result_after_the_end_of_its_delegation_arrives_once_and_is_not_counted(
    box: SqlMailbox, database: Database, clock: Clock
) -> None:
    late = send(box, YOU, message_type="delegation", expires_in_s=10)
    send(box, YOU, message_type="delegation", reply_to=late)
    note = send(box, ME, sender=YOU, reply_to=late)
    clock.pass_s(11)

    answer(box, note, "success")
    answer(box, late, "failure")
    with pytest.raises(ConflictError, match=rf"{late} was answered by {YOU} \(failure\)"):
        answer(box, late, "failure")

    assert box.inbox(YOU).open_delegations == []
    assert len(box.work_after(ME, 0)) == 2
    (found,) = SqlMemoryStore(database).load(ME).collaboration_patterns.frequent_collaborators
    assert (found.collaboration_frequency, found.success_rate_by_task) == (1, {"delegation": 1.0})


def test_a_delegation_can_be_withdrawn_by_whoever_handed_it_over(
    box: SqlMailbox, database: Database
) -> None:
    work = send(box, YOU, message_type="delegation")
    withdrawal = {"message_type": "delegation_withdrawn", "reply_to": work, "content": "never mind"}
    with pytest.raises(ConflictError, match=f"0 delegations of this thread are open for {YOU}"):
        send(box, ME, sender=YOU, **withdrawal)
    with pytest.raises(InvalidInputError, match=rf"goes to {YOU}, who was to do this work"):
        send(box, THIRD, **withdrawal)

    send(box, YOU, **withdrawal)

    assert [box.inbox(agent).open_delegations for agent in (ME, YOU)] == [[], []]
    assert "never mind" in contents(box, YOU)
    with pytest.raises(ConflictError, match=f"{work} was taken back by {ME} at 2026"):
        answer(box, work, "success")
    assert [m.content for m in box.work_after(YOU, 0)] == ["never mind"]
    patterns = SqlMemoryStore(database).load(ME).collaboration_patterns
    assert patterns.frequent_collaborators == []


def test_what_answers_settled_work_closes_no_other_work_of_the_thread(box: SqlMailbox) -> None:
    done = send(box, YOU, message_type="delegation")
    other = send(box, YOU, message_type="delegation", reply_to=done)
    answer(box, done, "success")

    with pytest.raises(ConflictError, match="was answered by"):
        send(box, YOU, message_type="delegation_withdrawn", reply_to=done)
    with pytest.raises(ConflictError, match="was answered by"):
        answer(box, done, "success")

    assert [d.message_id for d in box.inbox(ME).open_delegations] == [other]
