"""Memory and mailbox under limits that a process of its own must take on.

Run as ``python -m tests.memory.faults KIND STORE`` with names of ``KINDS`` and ``STORES``. It
prints what was refused, how many were acknowledged, and how many are there afterwards.
"""

import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Task
from ml_orchestrator.messaging._quotas import Quotas
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import memory_records, messages

ME, YOU = "ml-orchestrator", "performance-engineer"
NOBODY = 65_534
MANY = Quotas(per_sender=1_000_000, per_pair=1_000_000)
ROOM = 400_000  # bytes that the largest file of a new store may grow by


def open_state(home: Path) -> Database:
    return open_database(f"sqlite:///{home / 'state.db'}", home)


def remember(database: Database, number: int) -> None:
    """Store a memory of some length."""
    task = Task(task_description=f"{number} " * 400, outcome="success")
    SqlMemoryStore(database).save(ME, task=task)


def tell(database: Database, number: int) -> None:
    """Send a message of some length."""
    box = SqlMailbox(database, shipped=(ME, YOU), quotas=MANY)
    box.send(ME, message_type="insight", content=f"{number} " * 800, target_agents=[YOU])


def count(database: Database) -> int:
    """Return how many memories and messages there are."""
    tables = (memory_records, messages)
    return sum(
        database.read(lambda c, t=table: c.scalar(select(func.count()).select_from(t))) or 0  # type: ignore[misc]
        for table in tables
    )


Write = Callable[[Database, int], None]
STORES: dict[str, Write] = {"memory": remember, "messages": tell}


def until_refused(database: Database, write: Write) -> tuple[int, str]:
    """Write until it is refused; return how many were acknowledged, and the refusal."""
    for number in range(10_000):
        try:
            write(database, number)
        except UnavailableError as error:
            return number, str(error)
    raise SystemExit("nothing was ever refused")


def limited(write: Write) -> tuple[int, list[str], int]:
    """Write under a limit of file sizes, a little above what a new store has, until refused."""
    with _home() as home:
        database = open_state(home)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = max(file.stat().st_size for file in home.rglob("*") if file.is_file()) + ROOM
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        n, refusal = until_refused(database, write)
        database.close()
        return n, [refusal], count(open_state(home))


def read_only(write: Write) -> tuple[int, list[str], int]:
    """Open a store in a folder that is read-only."""
    with _home() as home:
        database = open_state(home)
        write(database, 0)
        database.close()
        _forbid(home)
        _, refusals = _as_nobody(lambda: _attempt(lambda: open_state(home)))
        _allow(home)
        return 1, refusals, count(open_state(home))


def turned_read_only(write: Write) -> tuple[int, list[str], int]:
    """Open a store in a folder that becomes read-only afterwards; write as before and anew."""
    with _home() as home:
        n, refusals = _as_nobody(lambda: _write_on(home, write))
        _allow(home)
        return n, refusals, count(open_state(home))


def _write_on(home: Path, write: Write) -> list[str]:
    database = open_state(home)
    said = _attempt(lambda: write(database, 0))
    _forbid(home)
    said += _attempt(lambda: write(database, 1))
    # While one connection reads, the next one is opened anew.
    said += database.read(lambda _: _attempt(lambda: write(database, 2)))
    return said


def _attempt(act: Callable[[], object]) -> list[str]:
    try:
        act()
    except UnavailableError as error:
        return [str(error)]
    return [""]


@contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="ml-faults-"))
    if os.getuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    yield home
    shutil.rmtree(home)


def _forbid(home: Path) -> None:
    for path in home.iterdir():
        path.chmod(0o444)
    home.chmod(0o555)


def _allow(home: Path) -> None:
    home.chmod(0o755)
    for path in home.iterdir():
        path.chmod(0o644)


def _as_nobody(act: Callable[[], list[str]]) -> tuple[int, list[str]]:
    """Act as somebody to whom things can be read-only; return how often it went well, and words."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        if os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            os.write(writing, "\0".join(act()).encode())
        except BaseException as error:  # noqa: BLE001 a child never returns to the caller's frame
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    said = os.read(reading, 65_536).decode().split("\0")
    return said.count(""), [words for words in said if words]


KINDS = {"limited": limited, "read-only": read_only, "turned-read-only": turned_read_only}

if __name__ == "__main__":
    n_acknowledged, refused, n_stored = KINDS[sys.argv[1]](STORES[sys.argv[2]])
    print(*refused, f"{n_acknowledged} acknowledged, {n_stored} stored", sep="\n")
