"""The contract of a memory store."""

import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Collaboration, Insight, Task
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.memory.store import MemoryStore
from ml_orchestrator.storage import migrations
from ml_orchestrator.storage.engine import open_database

AGENT = "ml-orchestrator"


def open_store(home: Path) -> SqlMemoryStore:
    return SqlMemoryStore(open_database(f"sqlite:///{home / 'state.db'}", home))


@pytest.fixture
def store(state_url: str, tmp_path: Path) -> Iterator[SqlMemoryStore]:
    database = open_database(state_url, tmp_path)
    yield SqlMemoryStore(database)
    database.close()


def task(text: str) -> Task:
    return Task(task_description=text, outcome="success")


def test_an_unknown_agent_remembers_nothing(store: MemoryStore) -> None:
    memory = store.load("nobody")

    assert memory.model_dump() == {
        "agent_name": "nobody",
        "last_updated": None,
        "task_history": [],
        "optimization_insights": [],
        "domain_knowledge": [],
        "collaboration_patterns": {"frequent_collaborators": []},
        "n_tasks": 0,
        "n_insights": 0,
        "n_knowledge": 0,
    }


def test_the_newest_task_comes_first_and_the_limit_keeps_the_newest(store: MemoryStore) -> None:
    for text in ("first", "second", "third"):
        store.save(AGENT, task=task(text))

    memory = store.load(AGENT, limit=2)

    assert [t.task_description for t in memory.task_history] == ["third", "second"]
    assert memory.n_tasks == 3


def test_memories_of_agents_are_apart(store: MemoryStore) -> None:
    store.save(AGENT, task=task("mine"))
    store.save("performance-engineer", task=task("theirs"))

    assert [t.task_description for t in store.load(AGENT).task_history] == ["mine"]


def test_collaborations_are_counted_by_colleague_and_kind_of_work(store: MemoryStore) -> None:
    work = [("profiling", True), ("deployment", True), ("deployment", False)]
    saved = [
        store.save(
            AGENT,
            collaborations=[
                Collaboration(
                    collaborator="infrastructure-specialist", success=success, task_type=task_type
                )
            ],
        )
        for task_type, success in work
    ]
    other = Collaboration(collaborator="performance-engineer", success=True, task_type="latency")
    store.save(AGENT, collaborations=[other])

    colleague, seldom = store.load(AGENT).collaboration_patterns.frequent_collaborators

    assert colleague.model_dump() == {
        "agent_name": "infrastructure-specialist",
        "collaboration_frequency": 3,
        "success_rate": pytest.approx(2 / 3),
        "common_tasks": ["deployment", "profiling"],
        "success_rate_by_task": {"deployment": 0.5, "profiling": 1.0},
        "last_at": saved[-1].saved_at,
        "flags": [],
    }
    assert (seldom.agent_name, seldom.collaboration_frequency) == ("performance-engineer", 1)


def test_saving_nothing_is_refused(store: MemoryStore) -> None:
    with pytest.raises(InvalidInputError, match="Nothing to save"):
        store.save(AGENT)


def test_a_save_that_fails_in_its_middle_leaves_nothing(store: MemoryStore) -> None:
    store.save(AGENT, task=Task(task_description="first", outcome="success", task_id="t1"))
    insight = Insight(area="a", insight="i", impact="low", confidence=0.5)
    clash = Task(task_description="again", outcome="success", task_id="t1")

    with pytest.raises(ConflictError, match="t1"):
        store.save(AGENT, task=clash, insights=[insight])

    memory = store.load(AGENT)
    assert (memory.n_tasks, memory.n_insights) == (1, 0)


def test_a_retry_with_the_same_key_is_stored_once(store: MemoryStore) -> None:
    first = store.save(AGENT, task=task("once"), idempotency_key="k")
    again = store.save(AGENT, task=task("once"), idempotency_key="k")

    assert again == first
    assert store.load(AGENT).n_tasks == 1


def test_a_key_used_for_something_else_is_a_conflict(store: MemoryStore) -> None:
    store.save(AGENT, task=task("once"), idempotency_key="k")

    with pytest.raises(ConflictError, match="'k'"):
        store.save(AGENT, task=task("other"), idempotency_key="k")


def test_the_shared_context_changes_by_compare_and_set(store: MemoryStore) -> None:
    assert store.shared_context().revision == 0
    store.put_shared_context({"goal": "ship"}, expected_revision=0, actor=AGENT)

    with pytest.raises(ConflictError, match="revision 1, not 0"):
        store.put_shared_context({"goal": "late"}, expected_revision=0, actor="other")

    context = store.put_shared_context({"goal": "done"}, expected_revision=1, actor=AGENT)
    assert (context.revision, context.content, context.updated_by) == (2, {"goal": "done"}, AGENT)


def test_the_shared_context_says_where_it_came_from_until_an_older_release_writes_it(
    store: SqlMemoryStore,
) -> None:
    origin = Origin(tool="context_update", session="claude/1")
    content = {"goal": "ship"}
    said = store.put_shared_context(content, expected_revision=0, actor=AGENT, origin=origin)
    older = "UPDATE shared_context SET revision = 2, updated_by = 'older'"
    store.database.write(lambda connection: connection.exec_driver_sql(older))
    after = store.shared_context()

    assert (said.updated_by, said.session, said.tool) == (AGENT, "claude/1", "context_update")
    assert (after.updated_by, after.session, after.tool) == ("older", None, None)


def test_no_statement_of_a_save_or_a_load_walks_through_records(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    said: list[str] = []

    def listen(connection: Connection, note: Callable[[str], None] | None) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(note)

    store.database.read(lambda connection: listen(connection, said.append))
    insight = Insight(area="a", insight="trees won", impact="low", confidence=0.5)
    for _ in range(2):
        store.save(AGENT, task=task("x"), insights=[insight], expires_in_days=1)
    store.brief(AGENT, None, limit=5)
    store.database.read(lambda connection: listen(connection, None))

    tables = ("memory_records", "memory_counts", "memory_past", "collaborations")
    plans = []
    with sqlite3.connect(tmp_path / "state.db") as connection:
        for statement in said:
            if any(table in statement for table in tables) and "memory_search" not in statement:
                plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}")
                plans += [row[3] for row in plan]
    connection.close()
    store.database.close()
    assert len(plans) > 10
    assert [step for step in plans if step.startswith("SCAN")] == []


def test_what_says_the_same_is_looked_up_in_an_index_without_tasks(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    insight = Insight(area="a", insight="trees won", impact="low", confidence=0.5)
    store.save(AGENT, task=task("trees won"), insights=[insight])

    def look(connection: Connection) -> tuple[list[str], list[str]]:
        keyed = "SELECT kind FROM memory_records WHERE near_key IS NOT NULL"
        asked = "SELECT * FROM memory_records WHERE agent = ? AND kind = ? AND near_key = ?"
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", ("a", "insight", "k"))
        return [row[0] for row in connection.exec_driver_sql(keyed)], [row[3] for row in plan]

    kinds, steps = store.database.read(look)
    store.database.close()
    assert kinds == ["insight"]
    assert steps == [
        "SEARCH memory_records USING INDEX ix_memory_near (agent=? AND kind=? AND near_key=?)"
    ]


def test_memory_of_the_release_before_is_merged_with_todays_by_the_new_index(
    state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    insight = Insight(area="a", insight="trees won", impact="low", confidence=0.5)
    old_index = "CREATE INDEX ix_memory_near ON memory_records (agent, kind, near_key)"
    with monkeypatch.context() as release_before:
        for number in [number for number in migrations.MIGRATIONS if number > 21]:
            release_before.delitem(migrations.MIGRATIONS, number)
        database = open_database(state_url, tmp_path)
        SqlMemoryStore(database).save(AGENT, task=task("trees won"), insights=[insight])
        for change in (
            "UPDATE memory_records SET near_key = 'k' WHERE kind = 'task'",
            "DROP INDEX ix_memory_near",
            old_index,
        ):
            database.write(lambda c, change=change: c.exec_driver_sql(change))  # type: ignore[misc]
        database.close()

    database = open_database(state_url, tmp_path)
    store = SqlMemoryStore(database)
    saved = store.save(AGENT, task=task("trees won"), insights=[insight])

    memory = store.load(AGENT)
    indexes = database.read(lambda c: inspect(c).get_indexes("memory_records"))
    database.close()
    (options,) = [i["dialect_options"] for i in indexes if i["name"] == "ix_memory_near"]
    assert (saved.n_merged, memory.n_tasks, memory.n_insights) == (1, 2, 1)
    (where,) = [str(part) for name, part in options.items() if name.endswith("where")]
    assert "near_key IS NOT NULL" in where


def save_many(home: Path, writer: int, n: int) -> None:
    store = open_store(home)
    for i in range(n):
        store.save(AGENT, task=task(f"{writer}/{i}"))


def test_four_processes_on_one_fresh_directory_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=save_many, args=(tmp_path, w, 25)) for w in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    found = {t.task_description for t in open_store(tmp_path).load(AGENT, limit=500).task_history}
    assert found == {f"{w}/{i}" for w in range(4) for i in range(25)}
