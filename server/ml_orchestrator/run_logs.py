"""What workers have logged, in a terminal: ``ml-orchestrator runs logs [RUN]``."""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.orchestration.retention.logs import older_log
from ml_orchestrator.settings import Settings

__all__ = ["show_logs"]

LOOK_S = 0.5
LOOKS_PER_STATE = 4  # at the log for one at the run


def show_logs(
    settings: Settings,
    run_id: str | None,
    *,
    follows: bool,
    is_over: Callable[[], bool] = lambda: False,
) -> int:
    """Print what workers have logged, of one run or of all, and follow it where asked to.

    Args:
        settings: Where the log is.
        run_id: Any attempt of the run; None for all runs.
        follows: Whether to wait for more, to the end of the run.
        is_over: Whether the run has ended; its last lines are waited for.

    Returns:
        1 where no worker has logged anything yet, else 0.
    """
    log = settings.home / "logs" / "worker.log"
    if not log.exists():
        print(f"No worker has logged anything to {log} yet.", file=sys.stderr)
        return 1
    wanted = None if run_id is None else first_of(run_id)
    n_older = _print_older(older_log(log), wanted)
    with log.open(encoding="utf-8", errors="replace") as file:
        if not _print_lines(file, wanted) + n_older and not follows:
            print(f"{log} says nothing of it.", file=sys.stderr)
        for n_looks in itertools.count() if follows else ():
            is_last = n_looks % LOOKS_PER_STATE == 0 and is_over()
            time.sleep(LOOK_S)
            _print_lines(file, wanted)
            _start_again_if_shorter(file, log)
            if is_last:
                break
    return 0


def _print_older(log: Path, wanted: str | None) -> int:
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return _print_lines(file, wanted)
    except FileNotFoundError:
        return 0


def _print_lines(file: IO[str], wanted: str | None) -> int:
    """Print the lines of a run, or all, and return how many there were."""
    n_printed = 0
    for line in _whole_lines(file):
        if wanted is None or _is_of(line, wanted):
            print(line.rstrip("\n"), flush=True)
            n_printed += 1
    return n_printed


def _whole_lines(file: IO[str]) -> Iterator[str]:
    """Give the lines that are complete; the rest is read when it is."""
    while True:
        at = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(at)
            return
        yield line


def _is_of(line: str, run_id: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return run_id in line
    is_named = isinstance(entry, dict) and entry.get("run_id") == run_id
    return is_named or run_id in str(entry)


def _start_again_if_shorter(file: IO[str], log: Path) -> None:
    if log.exists() and log.stat().st_size < file.tell():
        file.seek(0)
