"""Many writers on one memory, killed again and again; then every promise is checked.

Run as ``python -m tests.memory.soak [HOME] [--writers 8] [--rounds 200] [--seconds 60]``: first
that many rounds in which every writer is killed by SIGKILL at a moment of its own, then that
long without. ``--url`` takes a Postgres address. Exits with 1 and says what was broken.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, text
from sqlalchemy import select as query
from tests.killing import run_round, tell

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight, SavedMemory, Task, UsedRecord
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import memory_counts, memory_past, memory_records

SHARED = "Shared finding of all saves of one writer: early stopping at 12 rounds"
MAX_ACKS = 24  # of one writer, before it is killed


@dataclass(frozen=True, slots=True)
class Soak:
    """Where to write and how hard."""

    home: Path
    url: str
    writers: int
    seed: int

    def open(self) -> SqlMemoryStore:
        return SqlMemoryStore(open_database(self.url, self.home))


def write_on(soak: Soak, writer: int, start: int, told: int) -> None:
    """Save pairs of a task and an insight for ever; report each save after it returned."""
    store, agent = soak.open(), f"writer-{writer}"
    last: list[str] = []
    for number in range(start, start + 1_000_000):
        saved = save_pair(store, agent, number, used=last[:1])
        last = saved.record_ids
        tell(told, writer=writer, number=number, ids=saved.record_ids)


def save_pair(
    store: SqlMemoryStore, agent: str, number: int, *, used: Sequence[str] = ()
) -> SavedMemory:
    """Save a task and an insight of one text; every fifth time also what was saved before."""
    said = f"{agent} number {number}"
    insights = [said] if number % 5 else [said, SHARED]
    return store.save(
        agent,
        task=Task(task_description=said, outcome="success", task_id=str(number)),
        insights=[
            Insight(area=f"soak {number % 3}", insight=text, impact="low", confidence=0.5)
            for text in insights
        ],
        used_records=[UsedRecord(record_id=id_, helped=True) for id_ in used],
    )


def soak_memory(soak: Soak, *, rounds: int, seconds: float) -> tuple[int, list[str]]:
    """Run and check; return how many saves were acknowledged, and what was broken."""
    rng = random.Random(soak.seed)
    acknowledged: list[Any] = []
    n_rounds = rounds + bool(seconds)
    for number in range(n_rounds):
        starts = [number * 1_000_000] * soak.writers
        if number < rounds:
            limits = [rng.randint(1, MAX_ACKS) for _ in range(soak.writers)]
            acknowledged += run_round(partial(write_on, soak), starts, limits)
        else:
            limits = [sys.maxsize] * soak.writers
            acknowledged += run_round(partial(write_on, soak), starts, limits, seconds=seconds)
    store = soak.open()
    faults = check(store.database, acknowledged, max_unreported=n_rounds)
    store.database.close()
    return len(acknowledged), faults


def check(database: Database, acknowledged: Sequence[Any], *, max_unreported: int) -> list[str]:
    """Return every promise that memory has broken, given what was acknowledged."""
    return [
        *_lost(database, acknowledged),
        *_half_written(database, acknowledged, max_unreported),
        *_out_of_order(database),
        *_inconsistent(database),
        *_miscounted(database, acknowledged, max_unreported),
    ]


def _lost(database: Database, acknowledged: Sequence[Any]) -> Iterator[str]:
    live = set(_all(database, query(memory_records.c.id)))
    past = dict(_rows(database, query(memory_past.c.id, memory_past.c.became)))
    for ack in acknowledged:
        for id_ in ack["ids"]:
            if id_ not in live and past.get(id_) not in live:
                yield f"acknowledged and lost: {ack['writer']}/{ack['number']} {id_}"


def _half_written(
    database: Database, acknowledged: Sequence[Any], max_unreported: int
) -> Iterator[str]:
    """A save holds a task and an insight of the same text: both are there or neither."""
    said: dict[str, Counter[str]] = {"task": Counter(), "insight": Counter()}
    per_writer: Counter[str] = Counter()
    columns = (memory_records.c.kind, memory_records.c.agent, memory_records.c.payload)
    for kind, agent, payload in _rows(database, query(*columns)):
        found = json.loads(payload)
        key = found.get("task_description") or found["insight"]
        if key != SHARED:
            said[kind][key] += 1
        per_writer[agent] += kind == "task"
    for key in said["task"] | said["insight"]:
        if (said["task"][key], said["insight"][key]) != (1, 1):
            yield f"half written or doubled: {key}"
    reported = Counter(f"writer-{ack['writer']}" for ack in acknowledged)
    for agent, n in per_writer.items():
        if (
            n - reported[agent] > max_unreported
        ):  # one save may be cut off between commit and report
            yield f"{agent} has {n} tasks, of which only {reported[agent]} were reported"


def _out_of_order(database: Database) -> Iterator[str]:
    columns = (memory_records.c.agent, memory_records.c.payload, memory_records.c.created_at)
    tasks = query(*columns).where(memory_records.c.kind == "task")
    last: dict[str, tuple[int, str]] = {}
    for agent, payload, at in _rows(database, tasks.order_by(memory_records.c.seq)):
        here = (int(json.loads(payload)["task_id"]), at)
        if not all(a < b for a, b in zip(last.get(agent, (-1, "")), here, strict=True)):
            yield f"out of order: {agent} has {here} after {last[agent]}"
        last[agent] = here


def _inconsistent(database: Database) -> Iterator[str]:
    row = memory_records.c
    real = query(row.agent, row.kind, row.outcome, func.count())
    counted = query(
        memory_counts.c.agent, memory_counts.c.kind, memory_counts.c.outcome, memory_counts.c.n
    )
    groups = set(_rows(database, real.group_by(row.agent, row.kind, row.outcome)))
    if groups != set(_rows(database, counted)):
        yield "the counters do not agree with the records"
    if database.engine.dialect.name != "sqlite":
        return
    if (found := _all(database, text("PRAGMA integrity_check"))) != ["ok"]:
        yield f"the file is damaged: {found}"
    command = "INSERT INTO memory_search (memory_search, rank) VALUES ('integrity-check', 1)"
    try:
        database.write(lambda c: c.exec_driver_sql(command))
    except UnavailableError as error:
        yield f"the search index does not hold the words of the records: {error}"


def _miscounted(
    database: Database, acknowledged: Sequence[Any], max_unreported: int
) -> Iterator[str]:
    merged = Counter(
        (f"writer-{ack['writer']}", f"soak {ack['number'] % 3}")
        for ack in acknowledged
        if ack["number"] % 5 == 0
    )
    columns = (
        memory_records.c.agent,
        memory_records.c.area,
        memory_records.c.payload,
        memory_records.c.n_merged,
    )
    seen: Counter[tuple[str, str]] = Counter()
    for agent, area, payload, n in _rows(database, query(*columns)):
        if json.loads(payload).get("insight") == SHARED:
            seen[agent, area] += n
    for key in merged | seen:
        if not 0 <= seen[key] - merged[key] <= max_unreported:
            yield f"merged {seen[key]} times, reported {merged[key]}: {key}"


def _rows(database: Database, statement: Any) -> list[tuple[Any, ...]]:
    return database.read(lambda c: [tuple(row) for row in c.execute(statement)])


def _all(database: Database, statement: Any) -> list[Any]:
    return [row[0] for row in _rows(database, statement)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", nargs="?", type=Path)
    parser.add_argument("--url", help="Postgres address; a SQLite file in HOME if left out")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        soak = Soak(
            home, options.url or f"sqlite:///{home / 'state.db'}", options.writers, options.seed
        )
        soak.open().database.close()
        began = time.monotonic()
        n, faults = soak_memory(soak, rounds=options.rounds, seconds=options.seconds)
        took = time.monotonic() - began
    for fault in faults[:20]:
        print(fault)
    print(
        f"{n} saves acknowledged by {options.writers} writers in {took:.1f} s, "
        f"{options.rounds} rounds of kill -9; {len(faults)} promises broken"
    )
    return 1 if faults or not n else 0


if __name__ == "__main__":
    sys.exit(main())
