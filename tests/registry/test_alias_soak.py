"""The short form of ``benchmarks/alias_moves.py``: contended moves and kill -9."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_contended_moves_and_killed_writers_leave_a_whole_history(home: Path) -> None:
    command = [
        sys.executable, str(ROOT / "benchmarks" / "alias_moves.py"), "--json", "--home", str(home),
        "--moves", "80", "--bare-moves", "80", "--processes", "4", "--kills", "1", "--seed", "7",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr

    figures = {line["figure"]: line for line in map(json.loads, done.stdout.splitlines())}
    lost = figures["contended: lost updates, per 1000 moves"]
    assert (lost["ours"], lost["n"], lost["holds"]) == (0.0, 80, True)
    assert lost["peer"] > 0  # bare MLflow does lose some: the program can tell
    assert figures["contended: broken invariants"]["ours"] == 0.0
    assert figures["kill -9: rounds with a broken invariant"]["ours"] == 0.0
