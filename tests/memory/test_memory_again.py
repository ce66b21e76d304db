"""Importing again changes nothing, whatever has become of the records meanwhile."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from ml_orchestrator.agent_memory import AgentMemoryManager
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory._files import FORMAT
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight, Outcome, Task
from ml_orchestrator.memory.requests import Selection
from ml_orchestrator.memory.times import moment
from ml_orchestrator.memory.transfer import export_memory, import_memory
from ml_orchestrator.storage.engine import Database, open_database, timestamp
from ml_orchestrator.storage.schema import memory_records

ME = "ml-orchestrator"
COLLEAGUE = "performance-engineer"


def insight(text: str, **given: Any) -> Insight:
    fields = {"area": "a", "impact": "low", "confidence": 0.1, **given}
    return Insight.model_validate({"insight": text, **fields})


def done(text: str, outcome: Outcome = "failure") -> Task:
    return Task(task_description=text, outcome=outcome)


def written(content: object, folder: Path, name: str = "memory.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def export_of(records: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"format": FORMAT, "version": 1, "records": records, **more}


def forget(store: SqlMemoryStore, ids: list[str]) -> None:
    chosen = Selection(record_ids=ids)
    digest = store.plan_forgetting(chosen).digest
    store.forget(chosen, digest=digest, actor=ME, reason="a test")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[SqlMemoryStore]:
    """A second store, that exports come from."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    yield SqlMemoryStore(database, max_records=3)
    database.close()


def test_records_beyond_the_limit_or_expired_are_not_added_again_by_an_import(
    database: Database, elsewhere: SqlMemoryStore, tmp_path: Path
) -> None:
    source = SqlMemoryStore(elsewhere.database)
    for number in range(5):
        source.save(ME, task=done(f"t{number}"), expires_in_days=10 if number > 3 else None)
    file = written(export_memory(source.database), tmp_path)
    clock = [datetime.now(UTC)]
    store = SqlMemoryStore(database, max_records=3, now=lambda: clock[0])

    found = []
    for _ in range(3):
        n_added = import_memory(database, file).n_added
        clock[0] += timedelta(days=20)
        store.save(ME, task=done("mine", "success"))
        found.append((n_added, store.digest(ME).success.n))

    assert found == [(5, 6), (0, 7), (0, 8)]


@pytest.mark.parametrize("is_said_anew", [False, True])
def test_what_was_forgotten_does_not_come_back_by_an_older_export(
    database: Database, tmp_path: Path, is_said_anew: bool
) -> None:
    store = SqlMemoryStore(database)
    (first,) = store.save(ME, insights=[insight("private")]).record_ids
    oldest = written(export_memory(database), tmp_path, "oldest.json")
    (second,) = store.save(ME, insights=[insight("Private!")]).record_ids
    older = written(export_memory(database), tmp_path, "older.json")
    forget(store, [second])
    if is_said_anew:
        store.save(ME, insights=[insight("PRIVATE")])

    added = [import_memory(database, file).n_added for file in (oldest, older)]

    left = [(known.insight, known.n_merged) for known in store.load(ME).optimization_insights]
    assert (added, first == second) == ([0, 0], False)
    assert left == ([("PRIVATE", 1)] if is_said_anew else [])


def test_what_does_not_come_back_is_not_called_known_and_a_note_says_why(
    database: Database, tmp_path: Path
) -> None:
    store = SqlMemoryStore(database, max_records=2)
    (forgotten,) = store.save(ME, insights=[insight("private")]).record_ids
    store.save(ME, insights=[insight("brief")], expires_in_days=1)
    store.save(ME, task=done("first"))
    file = written(export_memory(database), tmp_path)
    forget(store, [forgotten])
    expire(database)
    for text in ("second", "third"):  # the first is too much then
        store.save(ME, task=done(text))

    found = import_memory(database, file)

    assert (found.n_added, found.n_known, found.n_gone) == (0, 0, 3)
    assert found.notes == [
        "3 records were left out: forgotten here, expired or too much. Save them anew to have "
        "them again."
    ]


def test_what_has_expired_and_was_not_removed_yet_is_not_called_known(
    database: Database, tmp_path: Path
) -> None:
    store = SqlMemoryStore(database)
    store.save(ME, insights=[insight("brief")], expires_in_days=1)
    file = written(export_memory(database), tmp_path)
    expire(database)

    found = import_memory(database, file)

    assert (found.n_added, found.n_known, found.n_gone) == (0, 0, 1)


def expire(database: Database) -> None:
    ended = memory_records.c.expires_at.is_not(None)
    gone = update(memory_records).where(ended).values(expires_at="2020-01-01T00:00:00.000000+00:00")
    database.write(lambda connection: connection.execute(gone))


def test_an_export_keeps_the_success_rate_of_records_that_are_gone(
    database: Database, elsewhere: SqlMemoryStore, tmp_path: Path
) -> None:
    for number in range(10):
        elsewhere.save(ME, task=done(f"t{number}", "failure" if number < 7 else "success"))
    file = written(export_memory(elsewhere.database), tmp_path)
    store = SqlMemoryStore(database)

    skipped = [import_memory(database, file).skipped for _ in range(2)]

    assert skipped == [[], []]
    assert store.digest(ME).success == elsewhere.digest(ME).success
    assert (store.digest(ME).success.n, store.load(ME).n_tasks) == (10, 3)
    assert export_memory(database)["removed"] == export_memory(elsewhere.database)["removed"]


def test_damaged_counts_of_what_is_gone_are_named_and_the_others_are_taken(
    database: Database, tmp_path: Path
) -> None:
    good = {"agent": ME, "kind": "task", "outcome": "failure", "n_removed": 2, "latest": "x"}
    damaged = [{**good, "outcome": "great"}, {**good, "n_removed": "many"}, 7]
    file = written(export_of([], removed=[*damaged, good]), tmp_path)

    skipped = import_memory(database, file).skipped

    assert [said.split(": ")[:2] for said in skipped] == [
        ["memory.json", f"removed[{place}]"] for place in range(3)
    ]
    assert SqlMemoryStore(database).digest(ME).success.n == 2


def test_a_record_from_the_future_is_taken_as_of_now_and_swallows_nothing(
    database: Database, tmp_path: Path
) -> None:
    at = "2999-01-01T00:00:00+00:00"
    payload = {**insight("depth four wins").model_dump(), "discovered_at": at}
    record = {"kind": "insight", "agent": ME, "at": at, "first_at": at, "payload": payload}
    cell = {"agent": ME, "collaborator": COLLEAGUE, "task_type": "t", "successes": 1, "last_at": at}
    file = written(export_of([record], collaborations=[cell]), tmp_path)
    store = SqlMemoryStore(database)

    import_memory(database, file)
    before = store.load(ME)
    store.save(ME, insights=[insight("Depth four wins!", impact="high", confidence=0.95)])

    (colleague,) = before.collaboration_patterns.frequent_collaborators
    (old,) = before.optimization_insights
    assert max(old.saved_by.at, str(old.first_at), colleague.last_at) <= timestamp()
    (new,) = store.load(ME).optimization_insights
    assert (new.insight, new.impact, new.confidence) == ("Depth four wins!", "high", 0.95)


def test_a_record_that_an_earlier_release_stored_in_the_future_swallows_nothing(
    database: Database,
) -> None:
    early = SqlMemoryStore(database, now=lambda: datetime(2999, 1, 1, tzinfo=UTC))
    early.save(ME, insights=[insight("depth four wins")])
    store = SqlMemoryStore(database)

    store.save(ME, insights=[insight("Depth four wins!", impact="high")])

    (found,) = store.load(ME).optimization_insights
    assert (found.insight, found.impact, found.n_merged) == ("Depth four wins!", "high", 2)


def test_damaged_counts_of_the_origin_are_named_and_counted_as_nothing(
    database: Database, tmp_path: Path
) -> None:
    good = {"agent_name": COLLEAGUE, "collaboration_frequency": 4, "success_rate": 0.5}
    people = [
        {**good, "common_tasks": ["k", "k"]},
        {**good, "collaboration_frequency": -5},
        {**good, "collaboration_frequency": 10**400},
        {**good, "collaboration_frequency": True},
        {**good, "collaboration_frequency": 1.5},
        {**good, "success_rate": 5},
        {**good, "success_rate": "high"},
        {"agent_name": COLLEAGUE, "collaboration_frequency": 4},
        {**good, "common_tasks": "abc"},
        {**good, "common_tasks": [1]},
        {**good, "agent_name": "Bad Name!"},
    ]
    patterns = {"frequent_collaborators": people}
    file = written({"agent_name": ME, "collaboration_patterns": patterns}, tmp_path)

    skipped = import_memory(database, file).skipped

    assert [said.split(": ")[1] for said in skipped] == [
        f"frequent_collaborators[{place}]" for place in range(1, len(people))
    ]
    memory = SqlMemoryStore(database).load(ME)
    (colleague,) = memory.collaboration_patterns.frequent_collaborators
    assert (colleague.collaboration_frequency, colleague.success_rate) == (4, 0.5)
    assert colleague.common_tasks == ["k"]


def test_a_second_task_of_one_id_and_a_damaged_record_are_named_with_their_places(
    database: Database, tmp_path: Path
) -> None:
    at = "2025-07-01T00:00:00Z"
    task = {"task_description": "one", "outcome": "success", "timestamp": at, "task_id": "x"}
    unknown = {**task, "task_id": "y", "duration": 3}
    unknown["delegations"] = [{"to_agent": COLLEAGUE, "reason": "r", "took_s": 1}]
    tasks = [task, task, {**task, "task_description": "two"}, {**task, "outcome": "great"}, unknown]
    file = written({"agent_name": ME, "task_history": tasks}, tmp_path)

    found = import_memory(database, file)

    assert (found.n_added, found.n_known) == (2, 1)
    assert [said.split(": ")[1] for said in found.skipped] == [
        "task_history[2]",
        "task_history[3]",
    ]
    assert "with another task_description" in found.skipped[0]
    said = {
        kept.task_id: kept.task_description
        for kept in SqlMemoryStore(database).load(ME).task_history
    }
    assert said == {"x": "one", "y": "one"}


@pytest.mark.parametrize("given", [{"timestamp": "not a time"}, {"timestamp": "2026-13-01"}])
def test_a_time_that_is_none_is_refused_when_it_is_saved(
    database: Database, given: dict[str, str]
) -> None:
    store = SqlMemoryStore(database)
    with pytest.raises(InvalidInputError, match=r"timestamp is .* which is no time"):
        store.save(ME, task=done("x").model_copy(update=given))
    with pytest.raises(InvalidInputError, match="discovered_at"):
        store.save(ME, insights=[insight("x", discovered_at="today")])

    origins = ("2025-08-01T10:00:00+00:00Z", "2025-08-01T10:00:00", "2025-08-01", "")
    for number, at in enumerate(origins):
        store.save(ME, task=Task(task_description=f"{number}", outcome="success", timestamp=at))
    assert store.load(ME).n_tasks == len(origins)


def test_what_saving_a_loaded_memory_does_not_store_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with AgentMemoryManager(tmp_path) as manager:
        id_ = manager.add_task_to_history(ME, {"task_description": "x", "outcome": "partial"})
        manager.update_collaboration_pattern(ME, COLLEAGUE, True, "latency")
        memory = manager.load_agent_memory(ME)
        manager.update_collaboration_pattern(ME, COLLEAGUE, False, "latency")  # by somebody else
        with caplog.at_level(logging.WARNING):
            manager.save_agent_memory(ME, memory)
        unchanged = caplog.messages[:]
        memory["task_history"][0]["outcome"] = "success"
        memory["task_history"].insert(0, {"task_description": "new", "outcome": "failure"})
        person = {"agent_name": "tuner", "collaboration_frequency": 1, "success_rate": 1.0}
        memory["collaboration_patterns"]["frequent_collaborators"].append(person)
        with caplog.at_level(logging.WARNING):
            manager.save_agent_memory(ME, memory)
        after = manager.load_agent_memory(ME)

    assert unchanged == []
    task_said, work_said = caplog.messages
    assert id_ in task_said
    assert "another outcome" in task_said
    assert "Work with tuner was not counted" in work_said
    tasks = [(task["task_description"], task["outcome"]) for task in after["task_history"]]
    assert tasks == [("new", "failure"), ("x", "partial")]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "soon"])
def test_what_is_no_time_of_the_calendar_is_none(text: str) -> None:
    assert moment(text) is None
