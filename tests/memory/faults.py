"""Memory under limits that a process of its own must take on.

Run as ``python -m tests.memory.faults limited HOME`` or ``... read-only``.
"""

import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Task
from ml_orchestrator.storage.engine import open_database

AGENT = "ml-orchestrator"
NOBODY = 65_534


def open_store(home: Path) -> SqlMemoryStore:
    return SqlMemoryStore(open_database(f"sqlite:///{home / 'state.db'}", home))


def limited(home: Path) -> None:
    """Save under a limit of file sizes until refused; print how many, and the refusal."""
    store = open_store(home)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))
    for number in range(10_000):
        try:
            store.save(AGENT, task=Task(task_description=f"{number} " * 400, outcome="success"))
        except UnavailableError as error:
            print(number)
            print(error)
            return
    raise SystemExit("the limit was never reached")


def read_only() -> None:
    """Open a memory as somebody who may not write there; print the refusal and what is left."""
    home = Path(tempfile.mkdtemp(prefix="ml-read-only-"))
    store = open_store(home)
    store.save(AGENT, task=Task(task_description="kept", outcome="success"))
    store.database.close()
    home.chmod(0o555)
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        if os.getuid() == 0:
            os.setuid(NOBODY)  # nothing is read-only to root
        try:
            open_store(home)
        except UnavailableError as error:
            os.write(writing, str(error).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    print(os.read(reading, 4_096).decode())
    home.chmod(0o755)
    print(open_store(home).load(AGENT).n_tasks)
    shutil.rmtree(home)


if __name__ == "__main__":
    read_only() if sys.argv[1] == "read-only" else limited(Path(sys.argv[2]))
