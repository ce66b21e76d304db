"""The README's first command, run as a person would."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT_S = 600.0


def test_the_demo_walks_the_whole_main_job(tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    ran = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        cwd=tmp_path,
        env={**kept, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr[-3_000:]
    chapters = re.findall(r'say\(\d+, "([^"]+)"\)', (ROOT / "examples" / "demo.py").read_text())
    assert [chapter for chapter in chapters if chapter not in ran.stdout] == []
    *_, last = re.findall(r"^   (version \d+: .*)$", ran.stdout, re.MULTILINE)
    assert last == "version 1: @champion"
    pictures = [Path(line.strip()) for line in ran.stdout.splitlines() if ".png" in line]
    assert pictures
    assert all((tmp_path / path).stat().st_size > 0 for path in pictures)


def test_the_demo_says_when_time_ended_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    summary = {
        "trainer": "linear",
        "metric": "f1",
        "holdout": {"f1": {"estimate": 0.7, "low": 0.6, "high": 0.8}},
        "n_rows_test": 300,
        "n_trials": 2,
        "n_pruned": 1,
    }

    for stopped_by in ("time", "trials"):
        demo.describe({"result": {"summary": {**summary, "stopped_by": stopped_by}}})

    early, full = [line for line in capsys.readouterr().out.splitlines() if line]
    assert full.endswith("; 2 trials, 1 pruned")
    assert early == f"{full}; its time limit of 25 s ended the search"
