"""The table every subject checks, and how its answer is printed. Needs numpy only."""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Table", "answer"]

Table = dict[str, Any]


def answer(check: Callable[[str, Table, Table], list[float]]) -> None:
    """Run ``check`` on the table that the command line names and print what it took."""
    test, n_rows, n_columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    before, after = _tables(n_rows, n_columns)
    began = time.perf_counter()
    values = check(test, before, after)
    seconds = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "values": values}))


def _tables(n_rows: int, n_columns: int) -> tuple[Table, Table]:
    rng = np.random.default_rng(7)
    before = {f"c{i}": rng.normal(size=n_rows) for i in range(n_columns)}
    after = {f"c{i}": rng.normal(0.05 * (i % 3 == 0), 1, n_rows) for i in range(n_columns)}
    return before, after
