"""How long sending and reading a message takes over stdio as the mailbox grows.

Then eight servers at once on one store: how many acknowledged messages are not there afterwards.
The peer, mcp_agent_mail, is the package called so on the index, which is a fork of its first
release. It is filled by sending, since each message becomes a commit of its git archive; that takes
minutes, so it is measured at the smaller size alone. A second server on its store is refused.

Each act has turns of six calls in a row. Before each, what the one before left for the disk is
written, and there is a pause. The first call of a turn finds a processor that has slept meanwhile
and is given by itself, ``after a pause``.
"""

import os
import sqlite3
import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from _figures import Figure, arguments, in_turns, percentile, show, turns_parted
from _peers import peer_python
from memory import Pipelined

ME, YOU = "ml-orchestrator", "performance-engineer"
PEER = "mcp_agent_mail"
PEER_PACKAGES = ("mcp-agent-mail==0.1.0", "sqlmodel==0.0.31")  # newer sqlmodel refuses its times
PEER_CODE = "from mcp_agent_mail.app import build_mcp_server as b; b().run(show_banner=False)"
PEER_AGENTS = ("BlueLake", "GreenCastle")
SIZES = (1_000, 10_000)
QUICK_SIZES = (200, 2_000)
SEND_GOAL = 1 / 50
N_SERVERS = 8
WARM_UP_CALLS = 50
PAUSE_S = 0.1
IN_A_ROW = 6
_MESSAGE = (
    "INSERT INTO messages (id, thread_id, from_agent, type, priority, is_broadcast, content, "
    "metadata_json, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_READER = "INSERT INTO message_recipients (message_seq, agent, rank) VALUES (?, ?, 2)"


def start(folder: Path) -> Pipelined:
    """Start a server and let it prepare itself."""
    server = Pipelined([sys.executable, "-m", "ml_orchestrator", "mcp"], folder)
    server.prepare()
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


@dataclass(frozen=True, slots=True)
class Peer:
    """The peer's server with two agents that write to one another."""

    server: Pipelined
    project: str

    @classmethod
    def start(cls, folder: Path, size: int) -> "Peer | None":
        """Start it and let it hold ``size`` messages; None if it cannot be installed."""
        if (python := peer_python(PEER, *PEER_PACKAGES)) is None:
            return None
        store = folder / "peer"
        store.mkdir()
        variables = [
            f"STORAGE_ROOT={store}",
            f"DATABASE_URL=sqlite+aiosqlite:///{store}/mail.sqlite3",
            *(f"{name}=false" for name in ("LLM_ENABLED", "TOOLS_LOG_ENABLED", "LOG_RICH_ENABLED")),
        ]
        log = f"exec {python} -c '{PEER_CODE}' 2>{store}/log"
        peer = cls(Pipelined(["env", *variables, "sh", "-c", log], store), str(store / "project"))
        peer.server.call_ms("ensure_project", {"human_key": peer.project})
        for name in PEER_AGENTS:
            who = {"program": "benchmark", "model": "none", "name": name}
            peer.server.call_ms("register_agent", {"project_key": peer.project, **who})
        for number in range(size):
            peer.send_ms(number)
        return peer

    def send_ms(self, number: int) -> float:
        """Send a message and return how long it took, in ms."""
        sender, reader = PEER_AGENTS
        body = {"subject": f"message {number}", "body_md": "a word or two"}
        who = {"project_key": self.project, "sender_name": sender, "to": [reader]}
        return self.server.call_ms("send_message", {**who, **body})

    def inbox_ms(self) -> float:
        """Read 20 messages and return how long it took, in ms."""
        who = {"project_key": self.project, "agent_name": PEER_AGENTS[1], "limit": 20}
        return self.server.call_ms("fetch_inbox", who)


def latencies(server: Pipelined, peer: Peer | None, size: int, n: int) -> list[Figure]:
    """Return p50 and p99 of a send and of an inbox of 20, in ``n`` turns."""
    send = {"agent": ME, "content": "a word or two", "target_agents": [YOU]}
    acts = {
        "send": lambda: server.call_ms("message_send", send),
        "inbox": lambda: server.call_ms("message_inbox", {"agent": YOU, "limit": 20}),
    }
    if peer is not None:
        acts |= {"peer send": lambda: peer.send_ms(size), "peer inbox": peer.inbox_ms}
    found = in_turns(acts, rounds=n, pause_s=PAUSE_S, in_a_row=IN_A_ROW, settle=os.sync)
    first, later = turns_parted(found, IN_A_ROW)
    return [
        Figure(
            f"{act} {label} at {size:,}",
            "ms",
            percentile(taken[act], share),
            percentile(taken[f"peer {act}"], share) if peer else None,
            PEER if peer else None,
            SEND_GOAL if (act, label) == ("send", "p50") else None,
            len(taken[act]),
        )
        for act in ("send", "inbox")
        for label, share, taken in (
            ("p50", 0.5, later),
            ("p99", 0.99, later),
            ("after a pause, p50", 0.5, first),
        )
    ]


def growth(figures: Sequence[Figure], sizes: Sequence[int]) -> list[Figure]:
    """Return how the largest size compares with the smallest."""
    by_name = {figure.figure: figure for figure in figures}
    found = []
    for act in ("send", "inbox"):
        few, many = (by_name[f"{act} p50 at {size:,}"] for size in sizes)
        name = f"{act} p50 at {sizes[-1]:,}, ours"
        found.append(Figure(name, "ms", many.ours, few.ours, f"at {sizes[0]:,}", 2.0, many.n))
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
    n, sizes = (20, QUICK_SIZES) if options.quick else (40, SIZES)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, filled = Path(name), 0
        server = stack.enter_context(closing(start(folder)))
        if (peer := Peer.start(folder, sizes[0])) is not None:
            stack.enter_context(closing(peer.server))
        for size in sizes:
            fill(folder, filled, size)
            filled = size
            figures += latencies(server, peer, size, n)
            peer = None  # not filled further
    figures += growth(figures, sizes)
    figures.append(lost(50 if options.quick else 200))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
