"""How long memory takes to save, load and search over stdio as it grows, and what gets lost.

Ours beside the reference server ``server-memory``, filled with as many records; then two
processes that save at once on one store, and eight calls in flight on one server: how many
acknowledged saves are not there afterwards.

Each server has turns of six calls in a row. Before each, what the one before left for the disk is
written, and there is a pause. The first call of a turn finds a processor that has slept meanwhile
and is given by itself, ``after a pause``.
"""

import json
import os
import random
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from _figures import Figure, arguments, in_turns, percentile, show, turns_parted
from _peers import peer_node
from tool_latency import Session

from ml_orchestrator.agent_memory import AgentMemoryManager

AGENT = "ml-orchestrator"
OURS, PEER = "ours", "server-memory"
SIZES = (100, 1_000, 10_000, 50_000)
LIMIT_MS = 2.0  # what a save and a load may take
PEER_WAS_MS = {100: 1.3, 1_000: 2.8, 10_000: 21.0, 50_000: 109.0}  # its saves where that was set
IN_FLIGHT = 8
WARM_UP_CALLS = 50
PAUSE_S = 0.1
IN_A_ROW = 6
QUANTILES = (("p50", 0.5), ("p99", 0.99))
WORDS = tuple(
    "model train depth tree boost forest auc recall drift column feature target leak batch "  # noqa: SIM905
    "latency cache deploy alias rollback worker queue disk index price region age income churn "
    "ranker prune trial seed fold calibrate ensemble kernel gpu precision threshold outlier".split()
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A memory server: how it is started on a folder, and which call does what."""

    name: str
    command: Sequence[str]
    calls: Mapping[str, str]

    def start(self, folder: Path) -> "Pipelined":
        """Start it on the store in ``folder``."""
        return Pipelined([part.format(folder=folder) for part in self.command], folder)

    def call(self, act: str, number: int, text: str) -> tuple[str, dict[str, Any]]:
        """Return tool and arguments of a save, load or search."""
        mine = self.name == OURS
        task = {"task_description": text, "outcome": "success"}
        given: dict[str, dict[str, Any]] = {
            "save": {"agent": AGENT, "task": task}
            if mine
            else {"entities": [_entity(number, text)]},
            "load": {"agent": AGENT} if mine else {"names": ["record 1"]},
            "search": {"query": text},
        }
        return self.calls[act], given[act]


class Pipelined(Session):
    """A session that can have several calls in flight."""

    def send_all(self, tool: str, calls: Sequence[dict[str, Any]], *, in_flight: int) -> int:
        """Call with so many requests unanswered at a time; return how many succeeded."""
        n_ok = n_sent = 0
        for answered in range(len(calls)):
            while n_sent < len(calls) and n_sent - answered < in_flight:
                self._id += 1
                params = {"name": tool, "arguments": calls[n_sent]}
                message = {"jsonrpc": "2.0", "id": self._id, "method": "tools/call"}
                self._send({**message, "params": params})
                n_sent += 1
            n_ok += self._answer()
        return n_ok

    def _answer(self) -> bool:
        assert self._server.stdout
        while True:
            answer = json.loads(self._server.stdout.readline())
            if "id" in answer:
                return "result" in answer and not answer["result"].get("isError")


def subjects() -> list[Subject]:
    """Return ours, and the peer if it can be installed."""
    calls = {"save": "memory_save", "load": "memory_load", "search": "memory_search"}
    found = [Subject(OURS, [sys.executable, "-m", "ml_orchestrator", "mcp"], calls)]
    if package := peer_node(PEER, "@modelcontextprotocol/server-memory"):
        command = ["env", "MEMORY_FILE_PATH={folder}/memory.jsonl", "node"]
        calls = {"save": "create_entities", "load": "open_nodes", "search": "search_nodes"}
        found.append(Subject(PEER, [*command, str(package / "dist" / "index.js")], calls))
    return found


def said(rng: random.Random, number: int) -> str:
    """Return what a record says: some words, and a number of its own."""
    return f"{' '.join(rng.choices(WORDS, k=20))} record{number}"


def _entity(number: int, text: str) -> dict[str, Any]:
    return {"name": f"record {number}", "entityType": "task", "observations": [text]}


def fill(folder: Path, first: int, end: int) -> None:
    """Put records ``first`` up to ``end`` into both stores, past the servers."""
    rng = random.Random(first)
    texts = {number: said(rng, number) for number in range(first, end)}
    with (folder / "memory.jsonl").open("a", encoding="utf-8") as file:
        for number, text in texts.items():
            file.write("\n" + json.dumps({"type": "entity", **_entity(number, text)}))
    at = "2026-01-01T00:00:00.000000+00:00"
    records = [
        {
            "kind": "task",
            "agent": AGENT,
            "at": at,
            "payload": {
                "task_description": text,
                "outcome": "success",
                "task_id": f"record {number}",
                "timestamp": at,
            },
        }
        for number, text in texts.items()
    ]
    export = folder / "export.json"
    content = {"format": "ml-orchestrator-memory", "version": 1, "records": records}
    export.write_text(json.dumps(content), encoding="utf-8")
    with AgentMemoryManager(folder / ".ml-orchestrator") as manager:
        manager.import_memory(export)


@contextmanager
def started(folder: Path, parts: Sequence[Subject], copies: int = 1) -> Iterator[list[Pipelined]]:
    """Start servers on a folder, and wait until ours has prepared itself."""
    with ExitStack() as stack:
        servers = [subject.start(folder) for subject in parts for _ in range(copies)]
        for server in servers:
            stack.callback(server.close)
        for server, subject in zip(servers, [s for s in parts for _ in range(copies)], strict=True):
            if subject.name == OURS:
                server.prepare()
            for _ in range(WARM_UP_CALLS):
                server.call_ms(*subject.call("load", 0, "model"))
        yield servers


def latencies(folder: Path, parts: Sequence[Subject], size: int, n: int) -> list[Figure]:
    """Return p50 and p99 of save, load and search at one size, in ``n`` turns."""
    rng = random.Random(size)
    figures = []
    with started(folder, parts) as servers:
        for act in ("load", "search", "save"):
            numbers = iter(range(10_000_000 + size, 20_000_000))

            def measure(server: Pipelined, subject: Subject, act: str = act) -> float:
                number = next(numbers)  # noqa: B023 one iterator an act
                text = said(rng, number) if act == "save" else rng.choice(WORDS)
                return server.call_ms(*subject.call(act, number, text))

            measures = {
                subject.name: partial(measure, server, subject)
                for server, subject in zip(servers, parts, strict=True)
            }
            found = in_turns(measures, rounds=n, pause_s=PAUSE_S, in_a_row=IN_A_ROW, settle=os.sync)
            first, later = turns_parted(found, IN_A_ROW)
            figures += [_figure(act, label, share, size, later) for label, share in QUANTILES]
            figures.append(_figure(f"{act} after a pause,", "p50", 0.5, size, first))
    return figures


def _figure(
    act: str, label: str, share: float, size: int, found: Mapping[str, list[float]]
) -> Figure:
    has_goal = act == "save" and label == "p50" and size == 10_000
    return Figure(
        f"{act} {label} at {size:,}",
        "ms",
        percentile(found[OURS], share),
        percentile(found[PEER], share) if PEER in found else None,
        PEER,
        0.1 if has_goal else None,
        len(found[OURS]),
    )


def growth(figures: Sequence[Figure], sizes: Sequence[int]) -> list[Figure]:
    """Return how save and load at the largest size compare with the smallest, and the limit."""
    by_name = {figure.figure: figure for figure in figures}
    found = []
    for act in ("save", "load"):
        few, many = (by_name[f"{act} p50 at {size:,}"] for size in (sizes[0], sizes[-1]))
        name = f"{act} p50 at {sizes[-1]:,}, ours"
        found.append(Figure(name, "ms", many.ours, few.ours, f"at {sizes[0]:,}", 2.0, many.n))
        found.append(Figure(name, "ms", many.ours, LIMIT_MS, "limit", 1.0, many.n))
    return found


def elsewhere(figures: Sequence[Figure]) -> list[Figure]:
    """Return what saves would take on the machine for which their limit was set.

    The peer's saves were measured there, and say how much slower this one is: roughly, as the
    peer's work is not ours.
    """
    by_name = {figure.figure: figure for figure in figures}
    found = []
    for size, was in PEER_WAS_MS.items():
        here = by_name.get(f"save p50 at {size:,}")
        if here is not None and here.peer:
            name, ours = f"save p50 at {size:,}, there", here.ours * was / here.peer
            found.append(Figure(name, "ms", ours, LIMIT_MS, "limit", 1.0, here.n))
    return found


def lost(parts: Sequence[Subject], *, servers: int, in_flight: int, n: int) -> Figure:
    """Return the share of acknowledged saves that are not there, of ``n`` by each server."""
    shares = {}
    for subject in parts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with started(folder, [subject], copies=servers) as running:
                n_ok = _save_all(subject, running, in_flight=in_flight, n=n)
            shares[subject.name] = 100 * (n_ok - _stored(folder, subject)) / n_ok
    how = "two processes" if servers > 1 else f"{in_flight} calls in flight"
    figure = f"acknowledged saves lost, {how}"
    return Figure(figure, "%", shares[OURS], shares.get(PEER), PEER, 0.0, servers * n)


def _save_all(subject: Subject, running: Sequence[Pipelined], *, in_flight: int, n: int) -> int:
    done: list[int] = []

    def work(place: int, server: Pipelined) -> None:
        rng = random.Random(place)
        numbers = range(place * n, place * n + n)
        calls = [subject.call("save", number, said(rng, number))[1] for number in numbers]
        done.append(server.send_all(subject.calls["save"], calls, in_flight=in_flight))

    threads = [threading.Thread(target=work, args=each) for each in enumerate(running)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def _stored(folder: Path, subject: Subject) -> int:
    if subject.name == PEER:
        lines = (folder / "memory.jsonl").read_text(encoding="utf-8").splitlines()
        return len({json.loads(line)["name"] for line in lines if line})
    with AgentMemoryManager(folder / ".ml-orchestrator") as manager:
        return len(manager.export_memory()["records"])


def main() -> None:
    """Measure in turns at each size, then what is lost."""
    options = arguments(__doc__)
    sizes = (100, 1_000, 10_000) if options.quick else SIZES
    n, n_saves = (20, 100) if options.quick else (40, 200)
    parts, figures = subjects(), []
    with tempfile.TemporaryDirectory() as name:
        folder, filled = Path(name), 0
        for size in sizes:
            fill(folder, filled, size)
            filled = size
            figures += latencies(folder, parts, size, n)
    figures += [*growth(figures, sizes), *elsewhere(figures)]
    figures.append(lost(parts, servers=2, in_flight=1, n=n_saves))
    figures.append(lost(parts, servers=1, in_flight=IN_FLIGHT, n=n_saves))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
