"""What searches found is stored once, bounded, and read newest first."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from ml_orchestrator.memory import experience
from ml_orchestrator.memory.experience import ExperienceStore, FamilyBest, SearchFound
from ml_orchestrator.storage.engine import Database

FOUND = SearchFound(
    run_id="run-1",
    agent="ml-orchestrator",
    task="regression",
    dataset_digest="d" * 64,
    metric="r2",
    score=0.1 + 0.2,
    n_trials=30,
    meta_features={"log10_rows": 3.0},
    leaders=[
        FamilyBest("linear", {"penalty": 1e-3, "kind": "ridge", "n": 4}),
        FamilyBest("forest", {"n_trees": 50}),
    ],
)


@pytest.fixture
def store(database: Database) -> ExperienceStore:
    return ExperienceStore(database)


def test_what_is_read_is_what_was_stored_and_only_of_the_task(store: ExperienceStore) -> None:
    store.add(FOUND)
    store.add(replace(FOUND, run_id="run-2", task="classification"))

    assert store.of_task("regression") == [FOUND]


def test_a_run_is_stored_once(store: ExperienceStore) -> None:
    store.add(FOUND)
    store.add(replace(FOUND, score=0.9))

    assert [found.score for found in store.of_task("regression")] == [FOUND.score]


def test_a_search_that_an_earlier_release_stored_has_its_best_alone(
    store: ExperienceStore, database: Database
) -> None:
    store.add(FOUND)
    database.write(lambda c: c.execute(text("UPDATE search_experience SET leaders = NULL")))

    assert store.of_task("regression") == [replace(FOUND, leaders=FOUND.leaders[:1])]


@pytest.mark.parametrize("column", ["leaders", "meta_features"])
def test_a_damaged_row_is_passed_over_and_named(
    store: ExperienceStore, database: Database, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    store.add(replace(FOUND, run_id="torn"))
    store.add(FOUND)
    broken = text(f"UPDATE search_experience SET {column} = '[1' WHERE run_id = 'torn'")
    database.write(lambda c: c.execute(broken))

    assert store.of_task("regression") == [FOUND]
    assert "run torn" in caplog.text


def test_the_oldest_of_a_task_make_room(
    store: ExperienceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experience, "MOST_KEPT", 3)
    store.add(replace(FOUND, run_id="other", task="classification"))
    for number in range(5):
        store.add(replace(FOUND, run_id=f"run-{number}"))

    assert [f.run_id for f in store.of_task("regression")] == ["run-4", "run-3", "run-2"]
    assert len(store.of_task("classification")) == 1
