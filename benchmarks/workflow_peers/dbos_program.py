"""Bare DBOS on the same machine: the shortest program that does what `workflow.py` measures.

Runs as a process of its own: ``dbos_program.py URL QUEUE_POLL_S N_STEPS STEP_S LEDGER``; it prints
a line when it listens, and a line of times (ns since the epoch) for each workflow that it ran.
"""

import asyncio
import json
import os
import sqlite3
import sys
import threading
import time
import uuid
from contextlib import closing

from dbos import DBOS

LINES = threading.Lock()


def main() -> None:
    """Listen and run until the standard input ends."""
    url, poll_s, n_steps, step_s, path = sys.argv[1:]
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # as ours, so that both sync alike
    DBOS(
        config={
            "name": "bare",
            "system_database_url": url,
            "executor_id": uuid.uuid4().hex,
            "application_version": "1",
            "log_level": "ERROR",
        }
    )

    @DBOS.step(name="nothing")
    async def nothing() -> dict[str, int]:
        ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for what, pause_s in (("begin", float(step_s)), ("end", 0.0)):  # as our step notes
            os.write(ledger, f'["run", "nothing", "{what}", {time.time_ns()}]\n'.encode())
            if pause_s:
                await asyncio.sleep(pause_s)
        os.close(ledger)
        return {"n": 1}

    @DBOS.workflow(name="bare")
    async def bare(name: str) -> None:
        began_ns = time.time_ns()
        for _ in range(int(n_steps)):
            await nothing()
        with LINES:
            print(json.dumps({"run": name, "began": began_ns, "ended": time.time_ns()}), flush=True)

    DBOS.launch()
    DBOS.register_queue("bare", worker_concurrency=2, polling_interval_sec=float(poll_s))
    time.sleep(2.5)  # its manager looks for new queues each second
    print("listens", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
