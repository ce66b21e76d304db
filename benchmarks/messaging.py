"""How long sending and reading a message takes over stdio as the mailbox grows.

Then eight servers at once on one store: how many acknowledged messages are not there afterwards.
The peer, mcp_agent_mail, is not on the package index under its own name (the package called so
there is a fork), so it is reported as absent; it took 254 ms to send and 14 ms for an inbox at
1,000 messages, measured once elsewhere on a quiet machine.
"""

import sqlite3
import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from _figures import Figure, arguments, percentile, show
from memory import Pipelined

ME, YOU = "ml-orchestrator", "performance-engineer"
PEER = "mcp_agent_mail"
SIZES = (1_000, 10_000)
N_SERVERS = 8
WARM_UP_CALLS = 300
MANY = {"ML_ORCHESTRATOR_MESSAGES_PER_MINUTE": "1000000"} | {
    "ML_ORCHESTRATOR_MESSAGES_PER_MINUTE_TO_ONE": "1000000"
}
_MESSAGE = (
    "INSERT INTO messages (id, thread_id, from_agent, type, priority, is_broadcast, content, "
    "metadata_json, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_READER = "INSERT INTO message_recipients (message_seq, agent, rank) VALUES (?, ?, 2)"


def start(folder: Path) -> Pipelined:
    """Start a server whose quotas do not stand in the way, and let it prepare itself."""
    variables = [f"{name}={value}" for name, value in MANY.items()]
    server = Pipelined(["env", *variables, sys.executable, "-m", "ml_orchestrator", "mcp"], folder)
    for _ in range(WARM_UP_CALLS):
        server.call_ms("message_inbox", {"agent": YOU, "limit": 1})
    return server


def fill(folder: Path, first: int, end: int) -> None:
    """Put messages ``first`` up to ``end`` into the store, past the server; all are unread."""
    at = "2026-01-01T00:00:00.000000+00:00"
    store = folder / ".ml-orchestrator" / "state.db"
    with closing(sqlite3.connect(store)) as connection, connection:
        for _ in range(first, end):
            message_id = uuid.uuid4().hex
            row = (message_id, message_id, ME, "insight", 1, 0, "a word or two", "{}", at)
            cursor = connection.execute(_MESSAGE, row)
            connection.execute(_READER, (cursor.lastrowid, YOU))


def latencies(server: Pipelined, size: int, n: int) -> list[Figure]:
    """Return p50 and p99 of a send and of an inbox of 20, in turns."""
    found: dict[str, list[float]] = {"send": [], "inbox": []}
    for number in range(n):
        send = {"agent": ME, "content": f"message {number}", "target_agents": [YOU]}
        found["send"].append(server.call_ms("message_send", send))
        found["inbox"].append(server.call_ms("message_inbox", {"agent": YOU, "limit": 20}))
    return [
        Figure(f"{act} {label} at {size:,}", "ms", percentile(took, share), None, PEER, None, n)
        for act, took in found.items()
        for label, share in (("p50", 0.5), ("p99", 0.99))
    ]


def growth(figures: Sequence[Figure]) -> list[Figure]:
    """Return how the largest size compares with the smallest."""
    by_name = {figure.figure: figure for figure in figures}
    found = []
    for act in ("send", "inbox"):
        few, many = (by_name[f"{act} p50 at {size:,}"] for size in SIZES)
        name = f"{act} p50 at {SIZES[-1]:,}, ours"
        found.append(Figure(name, "ms", many.ours, few.ours, f"at {SIZES[0]:,}", 2.0, many.n))
    return found


def lost(n: int) -> Figure:
    """Return how many of the messages that eight servers acknowledged are not there."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        servers = [start(folder) for _ in range(N_SERVERS)]
        for server in servers:
            stack.callback(server.close)
        done: list[int] = []
        send = [{"agent": ME, "content": f"m{i}", "target_agents": [YOU]} for i in range(n)]

        def work(server: Pipelined) -> None:
            done.append(server.send_all("message_send", send, in_flight=2))

        threads = [threading.Thread(target=work, args=(server,)) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with closing(sqlite3.connect(folder / ".ml-orchestrator" / "state.db")) as connection:
            (stored,) = connection.execute("SELECT count(*) FROM messages").fetchone()
    n_lost = sum(done) - stored
    return Figure("acknowledged sends lost, 8 servers", "", n_lost, None, None, None, sum(done))


def main() -> None:
    """Measure at each size, then what is lost."""
    options = arguments(__doc__)
    n = 100 if options.quick else 400
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder, filled = Path(name), 0
        with closing(start(folder)) as server:
            for size in SIZES:
                fill(folder, filled, size)
                filled = size
                figures += latencies(server, size, n)
    figures += growth(figures)
    figures.append(lost(50 if options.quick else 200))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
