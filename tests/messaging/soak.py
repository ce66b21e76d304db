"""Writers and readers on one mailbox, killed again and again; then every promise is checked.

Run as ``python -m tests.messaging.soak [HOME] [--writers 8] [--rounds 200] [--seconds 60]``: every
process sends to the next one and acknowledges what it reads; first that many rounds in which each
is killed by SIGKILL at a moment of its own, then that long without. ``--url`` takes a Postgres
address. Exits with 1 and says what was broken.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select
from tests.killing import run_round, tell

from ml_orchestrator.messaging._quotas import Quotas
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import message_recipients, messages, unread_counts

MAX_DEEDS = 20  # of one process, before it is killed
MANY = Quotas(per_sender=1_000_000, per_pair=1_000_000, urgent=1_000_000)


@dataclass(frozen=True, slots=True)
class Soak:
    """Where to write and with how many processes."""

    home: Path
    url: str
    writers: int
    seed: int

    def open(self) -> tuple[Database, SqlMailbox]:
        """Open the mailbox anew, as each process does."""
        database = open_database(self.url, self.home)
        shipped = tuple(map(name, range(self.writers)))
        return database, SqlMailbox(database, shipped=shipped, quotas=MANY)


def name(writer: int) -> str:
    """Return the agent that a process is."""
    return f"writer-{writer}"


def work_on(soak: Soak, writer: int, start: int, told: int) -> None:
    """Send to the next process and acknowledge, for ever; report each deed once it is done."""
    _, box = soak.open()
    me, other = name(writer), name((writer + 1) % soak.writers)
    thread: str | None = None
    for number in range(start, start + 1_000_000):
        sent = box.send(
            me,
            message_type="insight",
            content=str(number),
            target_agents=[other],
            reply_to=thread,
            idempotency_key=f"{number}",
        )
        thread = thread or sent.message_id
        tell(told, writer=writer, sent=sent.message_id, number=number)
        if found := [m.message_id for m in box.inbox(me, limit=5).messages]:
            done = box.acknowledge(me, found)
            tell(told, writer=writer, acknowledged=done.acknowledged)


def soak_mailbox(soak: Soak, *, rounds: int, seconds: float) -> tuple[int, list[str]]:
    """Run and check; return how many deeds were reported, and what was broken."""
    rng = random.Random(soak.seed)
    deeds: list[Any] = []
    for number in range(rounds):
        limits = [rng.randint(1, MAX_DEEDS) for _ in range(soak.writers)]
        starts = [number * 1_000_000] * soak.writers
        deeds += run_round(partial(work_on, soak), starts, limits)
    if seconds:
        starts, limits = [rounds * 1_000_000] * soak.writers, [sys.maxsize] * soak.writers
        deeds += run_round(partial(work_on, soak), starts, limits, seconds=seconds)
    n_rounds = rounds + bool(seconds)
    database, box = soak.open()
    _read_the_rest(soak, box, deeds)
    faults = list(check(database, deeds, rounds=n_rounds))
    database.close()
    return len(deeds), faults


def _read_the_rest(soak: Soak, box: SqlMailbox, deeds: list[Any]) -> None:
    """Let every agent read and acknowledge until nothing is left."""
    for writer in range(soak.writers):
        while found := [m.message_id for m in box.inbox(name(writer), limit=100).messages]:
            done = box.acknowledge(name(writer), found).acknowledged
            deeds.append({"writer": writer, "acknowledged": done})


def check(database: Database, deeds: Sequence[Any], *, rounds: int) -> Iterator[str]:
    """Yield every promise that was broken, given what was reported."""
    joined = select(messages, message_recipients.c.agent, message_recipients.c.acknowledged_at)
    query = joined.outerjoin(message_recipients).order_by(messages.c.seq)
    rows = database.read(lambda c: c.execute(query).all())
    stored = {row.id for row in rows}
    delivered = Counter(id_ for deed in deeds for id_ in deed.get("acknowledged", ()))
    n_unreported = len(stored) - sum("sent" in deed for deed in deeds)
    for deed in deeds:
        if "sent" in deed and deed["sent"] not in stored:
            yield f"acknowledged and lost: {deed}"
    for row in rows:
        if row.agent is None or row.acknowledged_at is None:
            yield f"half written or never delivered: {row.id} of {row.from_agent}"
        if delivered[row.id] > 1:
            yield f"delivered {delivered[row.id]} times: {row.id}"
    most = rounds * len({row.from_agent for row in rows})  # one each may be cut off unreported
    if n_unreported > most:
        yield f"{n_unreported} messages nobody reported; at most {most} can have been cut off"
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        place = (row.thread_id, row.from_agent)
        if int(row.content) <= last.get(place, -1):
            yield f"out of order: {row.content} after {last[place]} in {place}"
        last[place] = int(row.content)
    yield from _miscounted(database)


def _miscounted(database: Database) -> Iterator[str]:
    """Yield each agent whose kept count of unread messages is not what its rows say."""
    kept = {row.agent: (row.n, row.n_urgent) for row in database.read(_all_counts) if row.n}
    counted = {row.agent: (row.n, row.n_urgent) for row in database.read(_all_unread)}
    for agent in sorted(kept.keys() | counted.keys()):
        if kept.get(agent) != counted.get(agent):
            yield f"miscounted: {agent} has {counted.get(agent)}, kept is {kept.get(agent)}"


def _all_counts(connection: Connection) -> Sequence[Any]:
    return connection.execute(select(unread_counts)).all()


def _all_unread(connection: Connection) -> Sequence[Any]:
    readers = message_recipients.c
    urgent = func.count().filter(readers.rank == 0)
    query = select(readers.agent, func.count().label("n"), urgent.label("n_urgent"))
    unread = query.where(readers.acknowledged_at.is_(None), readers.expires_at.is_(None))
    return connection.execute(unread.group_by(readers.agent)).all()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", nargs="?", type=Path, help="data directory; a new one if unset")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", help="Postgres address; SQLite in HOME if unset")
    asked = parser.parse_args()
    home = asked.home or Path(tempfile.mkdtemp(prefix="ml-mailbox-"))
    soak = Soak(home, asked.url or f"sqlite:///{home / 'state.db'}", asked.writers, asked.seed)
    n_deeds, faults = soak_mailbox(soak, rounds=asked.rounds, seconds=asked.seconds)
    for fault in faults:
        print(fault)
    print(f"{n_deeds} deeds reported, {asked.rounds} rounds, {len(faults)} promises broken")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
