"""Data larger than the memory that a process has left are compared."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_data_of_twice_the_memory_left_are_compared_and_the_shift_is_found() -> None:
    command = [sys.executable, "benchmarks/large_drift.py"]
    done = subprocess.run(
        [*command, "--gb", "0.65", "--limit-mb", "300", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert found["drifted"] == ["mix", "x3", "x5"]
    assert found["bytes"] >= 2e6 * found["limit_mb"]
    assert found["limit_holds"]  # else nothing was denied, and reading all of it would pass too
    assert 0 < sum(found["n_compared"]) < sum(found["rows"]) / 10
    assert len(found["notices"]) >= 2
    assert all("drawn at random" in notice for notice in found["notices"])
