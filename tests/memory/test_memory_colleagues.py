"""With whom work is counted, and whom the digest advises to ask."""

from typing import Any

import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Collaboration, Delegation, Task
from ml_orchestrator.storage.collaborations import count_work

YOU = "performance-engineer"


@pytest.fixture
def store(shared_store: SqlMemoryStore) -> SqlMemoryStore:
    return shared_store


def work_with(name: str, task_type: str = "latency") -> Collaboration:
    return Collaboration(collaborator=name, success=True, task_type=task_type)


def asked(store: SqlMemoryStore, agent: str) -> list[str]:
    return [adviser.agent_name for adviser in store.digest(agent, "latency").ask]


def test_an_agent_is_not_its_own_collaborator(store: SqlMemoryStore, agent: str) -> None:
    task = Task(task_description="t", outcome="success")
    with pytest.raises(InvalidInputError) as refused:
        store.save(agent, task=task, collaborations=[work_with(YOU), work_with(agent)])

    assert str(refused.value) == (
        f"{agent} cannot be its own collaborator. Name the colleague, or leave this out of "
        "collaborations: a task is where work of your own goes. Nothing was saved."
    )
    assert store.load(agent).n_tasks == 0


def test_a_retry_of_work_with_itself_that_an_earlier_release_took_returns_what_is_stored(
    store: SqlMemoryStore, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"collaborations": [work_with(agent)], "idempotency_key": "k"}
    with monkeypatch.context() as before:
        before.setattr("ml_orchestrator.memory._saving._refuse_itself", lambda *_: None)
        stored = store.save(agent, **given)

    assert store.save(agent, **given) == stored


def test_work_with_a_name_that_nobody_has_is_counted_and_named(
    store: SqlMemoryStore, agent: str
) -> None:
    misspelt = "performence-engineer"

    saved = store.save(agent, collaborations=[work_with(misspelt), work_with(misspelt, "tuning")])

    (colleague,) = store.load(agent).collaboration_patterns.frequent_collaborators
    assert (colleague.agent_name, colleague.collaboration_frequency) == (misspelt, 2)
    assert saved.notices == [
        f"No agent named '{misspelt}' (did you mean '{YOU}'?) is known here. The work is counted; "
        "memory_load tells nobody to ask an agent before it has saved memory or sent a message."
    ]


def test_the_digest_names_no_colleague_before_it_was_seen(
    store: SqlMemoryStore, agent: str
) -> None:
    new = f"{agent}-colleague"
    store.save(agent, collaborations=[work_with(new), work_with(YOU)])
    before = asked(store, agent)

    store.save(new, collaborations=[work_with(agent)])

    assert (before, asked(store, agent)) == ([YOU], [new, YOU])
    assert asked(store, new) == [agent]


def test_known_colleagues_bring_no_notice(store: SqlMemoryStore, agent: str) -> None:
    assert store.save(agent, collaborations=[work_with(YOU)]).notices == []


def test_the_digest_does_not_name_the_agent_itself(store: SqlMemoryStore, agent: str) -> None:
    store.save(agent, collaborations=[work_with(YOU)])
    store.database.write(  # as an earlier release did
        lambda c: count_work(c, agent, agent, task_type="latency", success=True, now="2025")
    )

    assert asked(store, agent) == [YOU]


def test_an_id_to_be_pinned_and_unpinned_is_refused_with_what_to_do(
    store: SqlMemoryStore, agent: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        store.save(agent, pin=["b", "a", "c"], unpin=["a", "b"])

    assert str(refused.value) == (
        "To be pinned and unpinned at once: a, b. Leave each out of pin, or out of unpin. Nothing "
        "was saved."
    )


def test_a_task_handed_to_a_name_that_nobody_has_is_saved_and_the_name_is_told(
    store: SqlMemoryStore, agent: str
) -> None:
    names = ("performence-engineer", YOU, "performence-engineer")
    handed = [Delegation(to_agent=name, reason="latency") for name in names]

    saved = store.save(
        agent, task=Task(task_description="t", outcome="success", delegations=handed)
    )

    assert store.load(agent).n_tasks == 1
    assert saved.notices == [
        f"No agent named 'performence-engineer' (did you mean '{YOU}'?) is known here. The task is "
        "saved with its delegations as they stand."
    ]
