"""Prefect on the same machine: a flow that is served, and whoever queues runs of it.

``prefect_served.py serve`` carries out what is queued, two runs at once; ``prefect_served.py ask``
reads numbers, a line each, queues so many runs at once and prints a line of their times (ns since
the epoch) when the last is over. ``BENCH_LEDGER`` names the file in which runs note them.
"""

import json
import os
import sys
import time
import uuid
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import run_deployment

AT_ONCE = 2
LOOK_S = 0.005
LIMIT_S = 600.0


@task(cache_policy=NO_CACHE)  # type: ignore[untyped-decorator, unused-ignore]
def nothing(name: str) -> int:
    """Note when it began and when it ended."""
    ledger = os.open(os.environ["BENCH_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for what in ("begin", "end"):
        os.write(ledger, f'["{name}", "{what}", {time.time_ns()}]\n'.encode())
    os.close(ledger)
    return 1


@flow  # type: ignore[untyped-decorator, unused-ignore]
def short(name: str) -> None:
    """Run one task."""
    nothing(name)


def queued(n_runs: int) -> dict[str, list[int]]:
    """Queue runs at once and return when each was asked for, began and ended, in that order."""
    asked = {}
    for _ in range(n_runs):
        name = uuid.uuid4().hex
        asked[name] = time.time_ns()
        run_deployment("short/bench", parameters={"name": name}, timeout=0)
    give_up_at = time.monotonic() + LIMIT_S
    while len(ended := _noted("end")) < len(asked) or not asked.keys() <= ended.keys():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"Prefect did not end {n_runs} runs in {LIMIT_S:.0f} s")
        time.sleep(LOOK_S)
    begun = _noted("begin")
    return {name: [at, begun[name], ended[name]] for name, at in asked.items()}


def _noted(wanted: str) -> dict[str, int]:
    path = Path(os.environ["BENCH_LEDGER"])
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return {name: at for name, what, at in map(json.loads, lines) if what == wanted}


def main() -> None:
    """Serve, or ask until the standard input ends."""
    if sys.argv[1] == "serve":
        short.serve(name="bench", limit=AT_ONCE, print_starting_message=False)
        return
    for line in sys.stdin:
        print(json.dumps(list(queued(int(line)).values())), flush=True)


if __name__ == "__main__":
    main()
