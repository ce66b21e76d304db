"""Processes that report what they did, and are killed by SIGKILL at a moment of their own."""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

__all__ = ["run_round", "tell"]

REPORT_S = 60.0  # for the last reports to come after the last kill


def tell(told: int, **report: Any) -> None:
    """Report one deed, once it is done; the report names its ``writer``."""
    os.write(told, f"{json.dumps(report)}\n".encode())  # shorter than a pipe's atomic write


def run_round(
    work: Callable[[int, int, int], None],
    starts: Sequence[int],
    limits: Sequence[int],
    *,
    seconds: float = 60.0,
) -> list[Any]:
    """Run ``work(writer, start, told)`` in a process for each start; return all it reported.

    A writer is killed once it has reported its limit, and all of them after ``seconds``.
    """
    reading, told = os.pipe()
    pids = [
        _fork(partial(work, writer, start, told), reading) for writer, start in enumerate(starts)
    ]
    os.close(told)
    reports: list[Any] = []
    left = list(limits)
    for report in _reports(reading, seconds):
        reports.append(report)
        writer = report["writer"]
        left[writer] -= 1
        if left[writer] == 0:
            os.kill(pids[writer], signal.SIGKILL)
        if max(left) <= 0:
            break
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    reports += _reports(reading, REPORT_S)  # to the end of the pipe
    for pid in pids:
        os.waitpid(pid, 0)
    os.close(reading)
    return reports


def _fork(work: Callable[[], None], reading: int) -> int:
    """Work in a process of its own, which ends with the one that reads its reports."""
    if pid := os.fork():
        return pid
    os.close(reading)  # once nobody holds it, a report fails
    try:
        work()
    except BaseException as error:  # noqa: BLE001 a child never returns to the caller's loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    os._exit(1)


def _reports(reading: int, seconds: float) -> Iterator[Any]:
    """Yield reports for so long, or until no writer is left to send one."""
    rest, deadline = b"", time.monotonic() + seconds
    while (wait := deadline - time.monotonic()) > 0 and select.select([reading], [], [], wait)[0]:
        if not (part := os.read(reading, 65_536)):
            return
        *whole, rest = (rest + part).split(b"\n")
        yield from map(json.loads, whole)
