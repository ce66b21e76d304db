"""Prefect on the same machine: a flow of tasks that do nothing, in one process and offline.

``prefect_program.py N_TASKS N_FLOWS`` prints the ms between two tasks of each flow, as JSON.
"""

import json
import sys
import time

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

BEGAN: list[int] = []


@task(cache_policy=NO_CACHE)  # type: ignore[untyped-decorator, unused-ignore]
def nothing() -> int:
    """Note when it began."""
    BEGAN.append(time.time_ns())
    return 1


@flow  # type: ignore[untyped-decorator, unused-ignore]
def many(n_tasks: int) -> None:
    """Run tasks one after the other."""
    for _ in range(n_tasks):
        nothing()


def main() -> None:
    """Run the flows and print their figures."""
    n_tasks, n_flows = int(sys.argv[1]), int(sys.argv[2])
    found = []
    for _ in range(n_flows + 1):
        BEGAN.clear()
        many(n_tasks)
        found.append((BEGAN[-1] - BEGAN[0]) / 1e6 / (n_tasks - 1))
    print(json.dumps(found[1:]))  # the first starts the server


if __name__ == "__main__":
    main()
