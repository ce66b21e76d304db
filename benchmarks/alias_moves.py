"""Contended alias moves and kill -9, checked against the log that MLflow's own database keeps.

Contention: P processes move one alias N times, each on what it just read, and report every move
that was acknowledged. Beside it, P processes do the same with bare MLflow (read, then set).

Kills: in each round two writers move one alias while a third client sets it with bare MLflow; the
writers are killed at random moments. Then the registry is reconciled and the invariants are
checked: the history is one unbroken chain, equal to what the database logged, it ends where the
alias points, nothing is left open, and every acknowledged move is in it once. Every fifty rounds
begin with a new alias, so that its first setting is killed too and histories stay short; at the end
all of them are checked once more.
"""

import argparse
import itertools
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# What every fork would else import by itself when it opens the registry, for most of a round.
import alembic.command  # noqa: F401
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
from _figures import Figure, show
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.errors import ConflictError, OrchestratorError
from ml_orchestrator.registry.desk import RegistryDesk, open_desk
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.storage.engine import open_database

MODEL = "contended"
VERSIONS = 5
READY_LIMIT_S = 120.0
ROUNDS_PER_ALIAS = 50
Child = tuple[int, int]  # process id, descriptor to read its lines from


def desk_of(home: Path) -> RegistryDesk:
    """Open the registry in this process."""
    uri = f"sqlite:///{home / 'mlflow.db'}"
    return open_desk(
        tracking_uri=uri,
        registry_uri=uri,
        home=home,
        database=open_database(f"sqlite:///{home / 'state.db'}", home),
        host="here",
        new_id=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
    )


def client_of(home: Path) -> MlflowClient:
    """Open bare MLflow in this process."""
    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}", f"sqlite:///{home / 'mlflow.db'}")


def start(work: Callable[[Callable[[Any], None]], None]) -> Child:
    """Run ``work`` in a fork of its own; it is given a function that sends a line to us."""
    ours, theirs = os.pipe()
    if pid := os.fork():
        os.close(theirs)
        return pid, ours
    try:
        os.close(ours)
        sending = os.fdopen(theirs, "w", encoding="utf-8")
        work(lambda line: print(json.dumps(line), file=sending, flush=True))
    except BaseException as error:  # noqa: BLE001 a child never returns to the loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


def finish(child: Child, *, is_killed: bool = False) -> list[Any]:
    """Return the whole lines that a child sent, once it has ended."""
    pid, descriptor = child
    with os.fdopen(descriptor, encoding="utf-8") as file:
        text = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != 0 and not (is_killed and code == -signal.SIGKILL):
        raise SystemExit(f"a child ended with {code}")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def prepare(home: Path) -> None:
    """Make a model with a few versions; their files do not matter here."""

    def work(_: Callable[[Any], None]) -> None:
        desk_of(home)
        client = client_of(home)
        client.create_registered_model(MODEL)
        for _number in range(VERSIONS):
            client.create_model_version(MODEL, source=str(home / "mlartifacts"))

    finish(start(work))


def following(version: int | None) -> int:
    """Return the version after this one, in a circle."""
    return 1 if version is None else version % VERSIONS + 1


def move_once(desk: RegistryDesk, alias: str) -> str | None:
    """Move an alias on by one from where it is seen; None if somebody was faster."""
    seen = desk.store.alias_version(MODEL, alias)
    try:
        move = desk.mover.move(
            MoveRequest(
                model=MODEL,
                alias=alias,
                version=following(seen),
                expected_version=seen,
                actor="bench",
                reason="contended",
            )
        ).move
    except ConflictError:
        return None
    return None if move is None else move.id


class Gate:
    """Holds forks until all of them are ready."""

    def __init__(self) -> None:
        self._waiting, self._opening = os.pipe()

    def wait(self, send: Callable[[Any], None]) -> None:
        """In a fork: say that it is ready and wait for the start."""
        os.close(self._opening)
        send("ready")
        os.read(self._waiting, 1)

    def open(self, children: list[Child]) -> float:
        """Let the forks go once all are ready; return when that was."""
        for _, descriptor in children:
            wait_for_line(descriptor)
        os.close(self._waiting)
        os.close(self._opening)
        return time.perf_counter()


def wait_for_line(descriptor: int) -> None:
    """Wait until a fork has sent something."""
    if not select.select([descriptor], [], [], READY_LIMIT_S)[0]:
        raise SystemExit("a fork did not get ready in time")


def contend(home: Path, *, moves: int, processes: int) -> tuple[list[str], int, float]:
    """Return the ids of acknowledged moves, how many failed, and the seconds they took.

    A move that somebody else was faster than is no failure: it is refused and tried anew.
    """
    gate = Gate()

    def work(send: Callable[[Any], None]) -> None:
        desk = desk_of(home)
        gate.wait(send)
        done = 0
        while done < moves // processes:
            try:
                found = move_once(desk, "ours")
            except (OrchestratorError, MlflowException, SQLAlchemyError) as error:
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                found = "failed"
            if found is not None:
                send(found)
                done += 1

    lines, took_s = run_together(work, gate, processes)
    acknowledged = [line for line in lines if line not in {"ready", "failed"}]
    return acknowledged, lines.count("failed"), took_s


def contend_bare(home: Path, *, moves: int, processes: int) -> tuple[int, int, float]:
    """Return acknowledged moves of bare MLflow, those that failed, and the seconds they took."""
    gate = Gate()

    def work(send: Callable[[Any], None]) -> None:
        client = client_of(home)
        client.get_registered_model(MODEL)
        gate.wait(send)
        for _ in range(moves // processes):
            try:
                seen = client.get_registered_model(MODEL).aliases.get("bare")
                to = following(None if seen is None else int(seen))
                client.set_registered_model_alias(MODEL, "bare", str(to))
                send("moved")
            except (MlflowException, SQLAlchemyError):
                send("failed")

    lines, took_s = run_together(work, gate, processes)
    found = Counter(lines)
    return found["moved"], found["failed"], took_s


def run_together(
    work: Callable[[Callable[[Any], None]], None], gate: Gate, processes: int
) -> tuple[list[Any], float]:
    """Return all lines of forks that start at once, and the seconds until the last ended."""
    children = [start(work) for _ in range(processes)]
    began = gate.open(children)
    lines = [line for child in children for line in finish(child)]
    return lines, time.perf_counter() - began


def look(home: Path, alias: str) -> dict[str, Any]:
    """Reconcile, and return history, log and live version of an alias."""

    def work(send: Callable[[Any], None]) -> None:
        desk = desk_of(home)
        desk.mover.reconcile()
        moves = desk.mover.history(MODEL, alias, limit=10**9).moves[::-1]
        state = desk.store.alias_state(MODEL, alias, after=0)
        send(
            {
                "history": [[m.from_version, m.to_version, m.id, m.state] for m in moves],
                "log": [[e.from_version, e.to_version] for e in state.events],
                "live": state.version,
            }
        )

    (found,) = finish(start(work))
    whole: dict[str, Any] = found
    return whole


def violations(found: dict[str, Any], acknowledged: list[str]) -> list[str]:
    """Return which invariants do not hold."""
    settled = [row for row in found["history"] if row[3] in {"applied", "observed"}]
    applied = Counter(row[2] for row in settled if row[3] == "applied")
    chain = [(None, None), *[(row[0], row[1]) for row in settled]]
    broken = sum(after[0] != before[1] for before, after in itertools.pairwise(chain))
    wrong = {
        "breaks in the chain": broken,
        "acknowledged moves lost or doubled": sum(applied[move] != 1 for move in acknowledged),
        "intents left open": sum(row[3] == "intended" for row in found["history"]),
        "history is not the log": int([row[:2] for row in settled] != found["log"]),
        "history ends elsewhere": int(chain[-1][1] != found["live"]),
    }
    return [f"{name}: {count}" for name, count in wrong.items() if count]


def kill_round(home: Path, alias: str, rng: random.Random) -> list[str]:
    """Let two writers and a foreign client move one alias, kill both; return what they reported."""

    def write(send: Callable[[Any], None]) -> None:
        desk = desk_of(home)
        send("ready")
        while True:
            if found := move_once(desk, alias):
                send(found)

    def set_bare(send: Callable[[Any], None]) -> None:
        client = client_of(home)
        client.get_registered_model(MODEL)
        send("ready")
        time.sleep(foreign_at_s)
        try:
            client.set_registered_model_alias(MODEL, alias, foreign_version)
        except (MlflowException, SQLAlchemyError):  # its first setting by two clients at once
            return

    foreign_at_s, foreign_version = rng.uniform(0.0, 0.12), str(rng.randint(1, VERSIONS))
    children = [start(write) for _ in range(2)]
    foreign = start(set_bare)
    for _, descriptor in (*children, foreign):
        wait_for_line(descriptor)
    time.sleep(rng.uniform(0.0, 0.12))
    for pid, _ in children:
        os.kill(pid, signal.SIGKILL)
        time.sleep(rng.uniform(0.0, 0.02))
    finish(foreign)
    lines = [line for child in children for line in finish(child, is_killed=True)]
    return [line for line in lines if line != "ready"]


def run_kills(home: Path, *, kills: int, seed: int) -> tuple[int, int]:
    """Return how many moves were acknowledged, and in how many rounds an invariant broke."""
    rng = random.Random(seed)
    acknowledged: dict[str, list[str]] = defaultdict(list)
    bad = 0
    for number in range(kills):
        alias = f"killed-{number // ROUNDS_PER_ALIAS}"
        acknowledged[alias] += kill_round(home, alias, rng)
        bad += complain(f"round {number}", look(home, alias), acknowledged[alias])
    for alias, moves in acknowledged.items():
        bad += complain(f"@{alias} in the end", look(home, alias), moves)
    return sum(map(len, acknowledged.values())), bad


def complain(when: str, found: dict[str, Any], acknowledged: list[str]) -> bool:
    """Say which invariants do not hold, and return whether any does not."""
    wrong = violations(found, acknowledged)
    if wrong:
        print(f"{when}: {'; '.join(wrong)}", file=sys.stderr)
    return bool(wrong)


def measure(home: Path, options: argparse.Namespace) -> list[Figure]:
    """Run both parts in ``home`` and return their figures."""
    prepare(home)
    acknowledged, n_failed, ours_s = contend(home, moves=options.moves, processes=options.processes)
    found = look(home, "ours")
    wrong = violations(found, acknowledged)
    for line in wrong:
        print(line, file=sys.stderr)
    lost = len(acknowledged) - sum(
        row[3] == "applied" and row[1] == following(row[0]) for row in found["history"]
    )
    n_bare = min(options.moves, options.bare_moves)
    moved, failed, bare_s = contend_bare(home, moves=n_bare, processes=options.processes)
    kept = sum(to == following(before) for before, to in look(home, "bare")["log"])
    n_acknowledged, bad = run_kills(home, kills=options.kills, seed=options.seed)
    n = max(len(acknowledged), 1)
    return [
        Figure("contended: lost updates, per 1000 moves", "moves", 1000 * lost / n,
               1000 * (moved - kept) / max(moved, 1), "bare MLflow", 0.0, n),
        Figure("contended: errors, per 1000 moves", "moves",
               1000 * n_failed / (n + n_failed), 1000 * failed / max(moved + failed, 1),
               "bare MLflow", None, n + n_failed),
        Figure("contended: broken invariants", "", float(len(wrong)), None, None, None, n),
        Figure("contended: time per acknowledged move", "ms", 1000 * ours_s / n,
               1000 * bare_s / max(moved, 1), "bare MLflow", None, n),
        Figure("kill -9: rounds with a broken invariant", "rounds", float(bad), None, None, None,
               options.kills),
        Figure("kill -9: acknowledged moves, all kept once", "moves", float(n_acknowledged), None,
               None, None, options.kills),
    ]  # fmt: skip


def main() -> int:
    """Measure in a directory of its own; exit with 1 if any of ours was lost, broken or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=10_000)
    parser.add_argument("--bare-moves", type=int, default=400, help="of bare MLflow, at most")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path, help="a data directory to use (default: a new one)")
    parser.add_argument("--quick", action="store_true", help="1,000 moves and 20 kills")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    options = parser.parse_args()
    if options.quick:
        options.moves, options.kills = min(options.moves, 1_000), min(options.kills, 20)
    home = options.home or Path(tempfile.mkdtemp(prefix="alias-moves-"))
    try:
        figures = measure(home, options)
    finally:
        if options.home is None:
            shutil.rmtree(home, ignore_errors=True)
    show(figures, as_json=options.json)
    names = ("lost", "broken", "errors")
    return int(any(f.ours for f in figures if any(name in f.figure for name in names)))


if __name__ == "__main__":
    sys.exit(main())
