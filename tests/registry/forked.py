"""Several processes on one data directory; mlflow is imported once, then forked.

Run as ``python -m tests.registry.forked crash|open HOME [POINT ...]``.
"""

import os
import signal
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.registry.flowers import ask, log_flowers, make_desk, mlflow_uri

from ml_orchestrator.registry._mlflow import MlflowRegistry
from ml_orchestrator.registry.journal import AliasJournal
from ml_orchestrator.registry.moves import AliasMover
from ml_orchestrator.registry.upkeep import AliasUpkeep
from ml_orchestrator.storage.engine import open_database

PROCESSES = 4


class Dying:
    """Hands every call on, and kills its process before or after the one that is named."""

    def __init__(self, inner: Any, point: str) -> None:
        self._inner = inner
        self._when, self._name = point.split(":")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name != self._name:
            return method

        def last(*args: Any, **kwargs: Any) -> None:
            if self._when == "after":
                method(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        return last


def crash(home: Path, point: str) -> None:
    """Move the alias of ``point`` from version 1 to version 2, and die there."""
    desk = make_desk(home)
    journal = AliasJournal(
        open_database(f"sqlite:///{home / 'state.db'}", home),
        host="here",
        new_id=lambda: uuid.uuid4().hex,
        now=desk_clock,
    )
    store: Any = Dying(MlflowRegistry(mlflow_uri(home), mlflow_uri(home), home), point)
    dying: Any = Dying(journal, point)
    AliasMover(
        store,
        dying,
        verify=desk.vault.verify,
        policies=desk.policies,
        approvals=desk.approvals,
        upkeep=AliasUpkeep(store, dying, home=home, host="here", now=desk_clock),
        now=desk_clock,
    ).move(ask(2, 1, alias=alias_of(point), idempotency_key=point))


def desk_clock() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def alias_of(point: str) -> str:
    """Return the alias that is moved when the process dies at ``point``."""
    return point.replace(":", "-")


def log_one(home: Path) -> None:
    """Log a model into a directory that somebody else may be creating."""
    log_flowers(home, f"run-{os.getpid()}")


def fork(work: Callable[[], None]) -> int:
    """Start ``work`` in a process of its own and return its id."""
    if pid := os.fork():
        return pid
    try:
        work()
    except BaseException as error:  # noqa: BLE001 a child never returns to the loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


def join(pids: list[int]) -> list[int]:
    """Wait for processes and return their exit codes; minus the signal for a killed one."""
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def main() -> int:
    what, home, points = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    if what == "crash":
        codes = [join([fork(lambda: crash(home, point))]) for point in points]  # noqa: B023
        return codes != [[-signal.SIGKILL]] * len(points)
    return max(join([fork(lambda: log_one(home)) for _ in range(PROCESSES)]))


if __name__ == "__main__":
    sys.exit(main())
