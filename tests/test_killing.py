"""Writers of a soak do not outlive the process that reads what they report."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_S = 60.0
SOAK = """
import sys
from tests.killing import run_round, tell

def write_on(writer, start, told):
    while True:
        tell(told, writer=writer, text="x" * 1_000)

print("begun", flush=True)
run_round(write_on, [0, 0], [sys.maxsize] * 2)
"""


def test_writers_end_when_their_reader_was_killed() -> None:
    ended, held = os.pipe()
    soak = subprocess.Popen(
        [sys.executable, "-c", SOAK],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[held],
    )
    os.close(held)
    assert soak.stdout is not None
    with soak.stdout:
        assert soak.stdout.readline() == b"begun\n"
        select.select([ended], [], [], 0.5)  # a moment, in which writers begin
        soak.send_signal(signal.SIGKILL)
        soak.wait(LIMIT_S)

    # The pipe ends once no process holds it any more: neither the soak nor its writers.
    assert select.select([ended], [], [], LIMIT_S)[0]
    assert os.read(ended, 1) == b""
    os.close(ended)
