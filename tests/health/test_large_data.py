"""Data larger than the memory that a process has left are compared."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_data_of_twice_the_memory_left_are_compared_and_the_shift_is_found() -> None:
    command = [sys.executable, "-m", "tests.health.soak_large_data"]
    done = subprocess.run(
        [*command, "--gigabytes", "0.6", "--limit-mb", "300"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    assert found["drifted"] == ["x3"]
    assert sum(found["bytes"]) >= 2 * found["limit_bytes"]
    assert found["limit_holds"]  # else nothing was denied, and reading all of it would pass too
    assert 0 < sum(found["compared"]) < sum(found["rows"]) / 10
    assert len(found["notices"]) >= 2
    assert all("drawn at random" in notice for notice in found["notices"])
