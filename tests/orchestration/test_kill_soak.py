"""The short form of ``benchmarks/workflow_kills.py``: kill -9, and nothing is lost or doubled."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_run_is_lost_and_no_step_doubled_across_kills_of_the_worker() -> None:
    command = [
        sys.executable, str(ROOT / "benchmarks" / "workflow_kills.py"), "--json",
        "--runs", "30", "--kills", "4", "--seed", "3",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    figures = {line["figure"]: line["ours"] for line in map(json.loads, done.stdout.splitlines())}
    (kills,) = {int(name.split()[-2]) for name in figures if name.startswith("lost")}
    assert kills > 0
    assert figures[f"lost across {kills} kills"] == 0
    assert figures[f"doubled across {kills} kills"] == 0
