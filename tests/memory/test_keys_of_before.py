"""Stores and exports of releases in which statements that differ by a sign had one key."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight
from ml_orchestrator.memory.requests import Selection
from ml_orchestrator.memory.transfer import export_memory, import_memory
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.memory_rows import complete_keys
from ml_orchestrator.storage.schema import memory_records as records

ME, OLD_ID, OLD_KEY = "ml-orchestrator", "i-0123456789abcdef01234567", "as before"
DIFFER, ALIKE = "rows where a != b", "rows where a == b"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)) as database:
        yield database


def insight(text: str) -> Insight:
    return Insight(area="filter", insight=text, impact="low", confidence=0.5)


def texts(database: Database) -> list[str]:
    stored = database.read(lambda c: c.scalars(select(records.c.payload).order_by("seq")).all())
    return [json.loads(payload)["insight"] for payload in stored]


def store_as_before(database: Database, text: str) -> None:
    """Store as an earlier release did: with its key, and an id made of that."""
    SqlMemoryStore(database).save(ME, insights=[insight(text)])
    old = {"id": OLD_ID, "near_key": OLD_KEY}
    database.write(lambda c: c.execute(update(records).values(old)))


def exported(database: Database, path: Path) -> Path:
    path.write_text(json.dumps(export_memory(database)), encoding="utf-8")
    return path


def test_a_store_of_before_merges_what_says_the_same_and_no_more(database: Database) -> None:
    store_as_before(database, DIFFER)
    database.write(complete_keys)

    SqlMemoryStore(database).save(ME, insights=[insight(ALIKE)])
    saved = SqlMemoryStore(database).save(ME, insights=[insight(DIFFER)])

    assert saved.n_merged == 1
    assert texts(database) == [ALIKE, DIFFER]


def test_an_export_of_before_brings_nothing_that_is_known(
    database: Database, tmp_path: Path
) -> None:
    store_as_before(database, DIFFER)
    database.write(complete_keys)

    done = import_memory(database, exported(database, tmp_path / "export.json"))

    assert (done.n_added, done.n_known, texts(database)) == (0, 1, [DIFFER])


def test_an_export_of_before_brings_back_what_had_taken_its_id_for_another_sign(
    database: Database, tmp_path: Path
) -> None:
    store_as_before(database, DIFFER)
    export = exported(database, tmp_path / "export.json")
    other = json.dumps(insight(ALIKE).model_dump() | {"discovered_at": "2026-01-01T00:00:00Z"})
    database.write(lambda c: c.execute(update(records).values(payload=other)))
    database.write(complete_keys)

    done = import_memory(database, export)

    assert (done.n_added, sorted(texts(database))) == (1, sorted([DIFFER, ALIKE]))


def test_what_was_forgotten_before_does_not_come_back(database: Database, tmp_path: Path) -> None:
    store_as_before(database, DIFFER)
    export = exported(database, tmp_path / "export.json")
    store, chosen = SqlMemoryStore(database), Selection(record_ids=[OLD_ID])
    plan = store.plan_forgetting(chosen)
    store.forget(chosen, digest=plan.digest, actor=ME, reason="wrong")

    done: Any = import_memory(database, export)

    assert (done.n_added, done.n_gone, texts(database)) == (0, 1, [])
