"""What newer records must not push out of a search and of the digest, on both databases."""

from collections.abc import Sequence
from typing import TypeAlias

import pytest
from sqlalchemy import insert

from ml_orchestrator.memory._saving import Given
from ml_orchestrator.memory._saving import save as save_in
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory._tally import MAX_KINDS
from ml_orchestrator.memory.candidates import MAX_RANKED
from ml_orchestrator.memory.models import Insight, Knowledge, Outcome, Task, UsedRecord
from ml_orchestrator.memory.requests import Filters, Origin
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import collaborations

Counted: TypeAlias = Sequence[tuple[str, int, int]]  # kinds of work, successes and failures


@pytest.fixture
def store(shared_store: SqlMemoryStore) -> SqlMemoryStore:
    return SqlMemoryStore(shared_store.database)


def weak(text: str) -> Insight:
    return Insight(area="a", insight=text, impact="low", confidence=0.1)


def strong(text: str) -> Insight:
    return Insight(area="a", insight=text, impact="high", confidence=1)


def save_many(
    store: SqlMemoryStore,
    agent: str,
    text: str,
    n: int,
    *,
    outcome: Outcome | None = None,
) -> None:
    """Save tasks of one outcome, or weak insights that differ by their number."""
    store.database.write(
        lambda connection: [
            save_in(
                connection,
                agent,
                Given(
                    outcome and Task(task_description=text, outcome=outcome),
                    [] if outcome else [weak(f"{text} {number}")],
                    *([],) * 5,
                    is_pinned=False,
                    expires_in_days=None,
                ),
                origin=Origin(),
                max_records=100_000,
                now=timestamp(),
            )
            for number in range(n)
        ]
    )


def all_ids(store: SqlMemoryStore, query: str, filters: Filters) -> list[str]:
    page = store.search(query, filters, limit=100)
    ids = [hit.record_id for hit in page.hits]
    while page.next_cursor is not None:
        page = store.search(query, filters, limit=100, cursor=page.next_cursor)
        ids += [hit.record_id for hit in page.hits]
    return ids


def test_newer_insights_do_not_push_tasks_out_of_a_digest(
    store: SqlMemoryStore, agent: str
) -> None:
    save_many(store, agent, "tune flamingo model", 5, outcome="success")
    save_many(store, agent, "tune flamingo model note", MAX_RANKED)

    found = store.digest(agent, "tune flamingo model")

    assert (found.success.n, found.success.rate, len(found.worked)) == (5, 1.0, 3)
    assert found.about == "similar tasks of all agents"


def test_newer_tasks_do_not_push_an_insight_out_of_a_digest(
    store: SqlMemoryStore, agent: str
) -> None:
    store.save(agent, insights=[strong("nightly pelican retraining leaks age")], pinned=True)
    save_many(store, agent, "nightly pelican retraining", MAX_RANKED, outcome="success")

    found = store.digest(agent, "nightly pelican retraining")

    assert [lesson.text for lesson in found.known] == ["nightly pelican retraining leaks age"]


@pytest.mark.parametrize("asked", ["weekly heron retraining", "weekly heron retraining in spring"])
def test_a_digest_of_more_tasks_than_are_looked_at_says_that_it_tells_of_the_newest(
    store: SqlMemoryStore, agent: str, asked: str
) -> None:
    save_many(store, agent, "weekly heron retraining", MAX_RANKED + 1, outcome="success")

    found = store.digest(agent, asked)

    assert found.about == "similar tasks of all agents, the newest alone"
    assert 0 < found.success.n <= MAX_RANKED


def test_the_best_record_is_found_below_as_many_newer_ones_as_are_ranked(
    store: SqlMemoryStore, agent: str
) -> None:
    (proven,) = store.save(agent, insights=[strong("cormorant caching halves time")]).record_ids
    for _ in range(5):
        store.save(agent, used_records=[UsedRecord(record_id=proven, helped=True)])
    (pinned,) = store.save(agent, insights=[weak("cormorant batching")], pinned=True).record_ids
    (sure,) = store.save(agent, insights=[strong("cormorant pruning")]).record_ids
    (medium,) = store.save(
        agent, insights=[Insight(area="a", insight="cormorant", impact="medium", confidence=1e-5)]
    ).record_ids
    save_many(store, agent, "cormorant number", MAX_RANKED)

    found = all_ids(store, "cormorant", Filters(agent=agent))

    assert (len(found), len(set(found))) == (MAX_RANKED, MAX_RANKED)
    assert found[:2] == [proven, sure]
    assert pinned in found
    assert medium not in found  # of less worth than the newer ones that had to make room, too


def test_a_search_without_a_query_lists_the_newest_whatever_older_ones_are_worth(
    store: SqlMemoryStore, agent: str
) -> None:
    (old,) = store.save(agent, insights=[strong("bittern")], pinned=True).record_ids
    save_many(store, agent, "bittern number", MAX_RANKED)

    page = store.search(None, Filters(agent=agent), limit=100)
    later = store.search(None, Filters(agent=agent), limit=100, cursor=page.next_cursor)

    assert (len(page.hits), len(later.hits)) == (100, 100)
    assert old not in [hit.record_id for hit in (*page.hits, *later.hits)]


def test_an_area_that_grew_as_it_was_cleaned_is_found_by_its_filter(
    store: SqlMemoryStore, agent: str
) -> None:
    area = "x" * 108 + "\u200b" * 20  # 228 characters once each is spelled out
    store.save(agent, insights=[Insight(area=area, insight="i", impact="low", confidence=0.5)])

    assert len(store.search(None, Filters(agent=agent, area=area)).hits) == 1


def count_kinds(store: SqlMemoryStore, agent: str, collaborator: str, counted: Counted) -> None:
    at = timestamp()
    rows = [
        dict(
            zip(
                ("agent", "collaborator", "task_type", "successes", "failures", "last_at"),
                (agent, collaborator, *row, at),
                strict=True,
            )
        )
        for row in counted
    ]
    store.database.write(lambda connection: connection.execute(insert(collaborations), rows))


def test_of_many_kinds_of_work_the_most_frequent_are_shown_and_the_others_as_one(
    store: SqlMemoryStore, agent: str
) -> None:
    rare = [(f"kind {number:04}", 1, 1) for number in range(2_000)]
    frequent = [(f"usual {number:02}", 9, 1) for number in range(MAX_KINDS - 1)]
    count_kinds(store, agent, "tuner", [*rare, *frequent, ("other", 4, 0)])
    count_kinds(store, agent, "watcher", [("latency", 1, 0)])

    memory, digest, _ = store.brief(agent, "kind usual", limit=5)

    tuner, watcher = memory.collaboration_patterns.frequent_collaborators
    assert tuner.common_tasks == [*(task for task, _, _ in frequent), "other"]
    assert tuner.collaboration_frequency == 4_000 + 10 * len(frequent) + 4
    assert tuner.success_rate_by_task["usual 00"] == 0.9
    assert tuner.success_rate_by_task["other"] == pytest.approx(2_004 / 4_004)
    assert watcher.common_tasks == ["latency"]
    assert {adviser.task_type for adviser in digest.ask} <= {task for task, _, _ in frequent}


def test_the_digest_says_what_a_fact_is_about_and_what_a_task_taught(
    store: SqlMemoryStore,
) -> None:
    agent = "digest-of-facts"
    taught = Task(
        task_description="weigh gannets", outcome="success", key_insights=["tare the scale"]
    )
    fact = Knowledge(
        subject="weight_kg", statement="gannets weigh 3", source="the vet", confidence=1
    )
    store.save(agent, task=taught, knowledge=[fact])

    found = store.digest(agent, "weigh gannets")

    assert [lesson.text for lesson in found.worked] == ["weigh gannets Learnt: tare the scale"]
    assert [lesson.text for lesson in found.known] == ["weight_kg: gannets weigh 3"]
