"""Memory and mailbox when processes die, disks are full and folders cannot be written."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import new_postgres_url
from tests.memory.faults import STORES, count, until_refused
from tests.memory.soak import check, save_pair

from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.storage.engine import open_database

ROOT = Path(__file__).parents[2]


def run(module: str, *args: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", f"tests.memory.{module}", *map(str, args)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_eight_writers_killed_again_and_again_break_no_promise(tmp_path: Path) -> None:
    ran = run("soak", tmp_path, "--rounds", "2", "--seconds", "0.5")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 promises broken" in ran.stdout


def test_on_postgres_too(tmp_path: Path, postgres_server: str) -> None:
    url = new_postgres_url(postgres_server)
    ran = run("soak", tmp_path, "--url", url, "--writers", "4", "--rounds", "1", "--seconds", "0.3")

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlMemoryStore]:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    yield SqlMemoryStore(database)
    database.close()


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("DELETE FROM memory_records WHERE kind = 'task' AND agent = 'writer-2'", "lost"),
        ("DELETE FROM memory_records WHERE kind = 'task' AND agent = 'writer-2'", "half written"),
        ("UPDATE memory_counts SET n = n + 1", "counters"),
        ("UPDATE memory_records SET seq = -seq", "out of order"),
        ("UPDATE memory_records SET words = 'other' WHERE seq = 1", "search index"),
        ("UPDATE memory_records SET n_merged = 1", "merged 1 times, reported 2"),
    ],
)
def test_the_checker_names_what_is_broken(store: SqlMemoryStore, damage: str, fault: str) -> None:
    acknowledged = [
        {"writer": w, "number": n, "ids": save_pair(store, f"writer-{w}", n).record_ids}
        for w in (1, 2)
        for n in (4, 5, 20)
    ]
    assert check(store.database, acknowledged, max_unreported=0) == []

    store.database.write(lambda connection: connection.execute(text(damage)))

    assert [f for f in check(store.database, acknowledged, max_unreported=9) if fault in f]


BOTH_STORES = pytest.mark.parametrize("kind", sorted(STORES))


@BOTH_STORES
def test_a_full_disk_is_said_and_loses_nothing(
    store: SqlMemoryStore, tmp_path: Path, kind: str
) -> None:
    pages = store.database.read(lambda c: c.scalar(text("PRAGMA page_count")))
    store.database.read(lambda c: c.execute(text(f"PRAGMA max_page_count = {pages + 60}")))

    n, refusal = until_refused(store.database, STORES[kind])
    again = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)

    assert "full" in refusal
    assert "Free some disk space" in refusal
    assert "Nothing was written" in refusal
    assert count(again) == n > 3
    assert again.read(lambda c: c.scalar(text("PRAGMA integrity_check"))) == "ok"
    again.close()


def refused_and_left(fault: str, kind: str) -> tuple[list[str], int, int]:
    """Return what a process under a fault was told, and how many it was promised and are there."""
    ran = run("faults", fault, kind)
    assert ran.returncode == 0, ran.stderr
    *refusals, last = ran.stdout.splitlines()
    found = re.fullmatch(r"(\d+) acknowledged, (\d+) stored", last)
    assert found is not None, last
    return refusals, int(found[1]), int(found[2])


@BOTH_STORES
def test_a_file_that_may_not_grow_loses_nothing(kind: str) -> None:
    (refusal,), n_acknowledged, n_stored = refused_and_left("limited", kind)

    assert "Nothing was written" in refusal
    assert n_stored == n_acknowledged > 3


@BOTH_STORES
def test_a_folder_that_cannot_be_written_is_named_and_keeps_what_it_has(kind: str) -> None:
    (refusal,), n_acknowledged, n_stored = refused_and_left("read-only", kind)

    assert "is read-only" in refusal
    assert "ML_ORCHESTRATOR_HOME" in refusal
    assert n_stored == n_acknowledged == 1


@BOTH_STORES
def test_a_folder_that_turns_read_only_is_named_and_keeps_what_it_acknowledged(kind: str) -> None:
    (refusal,), n_acknowledged, n_stored = refused_and_left("turned-read-only", kind)

    assert "attempt to write a readonly database" in refusal
    assert "ML_ORCHESTRATOR_HOME" in refusal
    assert n_stored == n_acknowledged == 2  # a connection that stands may still write
