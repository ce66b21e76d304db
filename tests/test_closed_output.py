"""A reader that has enough, such as ``head``, ends a command without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("line", [("workflow", "steps"), ("call", "monitor_set", "--help")])
def test_a_reader_that_is_gone_ends_a_command_quietly(
    tmp_path: Path, line: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "ml_orchestrator", *line],
            cwd=tmp_path,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, "Traceback" in ended.stderr) == (141, False)
    assert "BrokenPipe" not in ended.stderr
