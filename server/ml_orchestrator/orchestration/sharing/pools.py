"""Pools: which workers take a run, where several data directories share a database.

A run needs the files of the data directory it was started in, so it belongs to that directory's own
pool: workers of any machine that see this directory take it, others do not. Directories whose
settings name a common pool take one another's runs.
"""

import socket
import uuid
from pathlib import Path
from typing import Any

from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.locks import exclusive

__all__ = [
    "at_pool",
    "home_id",
    "home_of",
    "is_shared",
    "origin_of",
    "own_pool",
    "place_of",
    "pool_of_home",
    "pools_of",
    "without_pool",
]

FILE = "home.id"
SEPARATOR = "@"
NAMED = "pool-"


def is_shared(settings: Settings) -> bool:
    """Whether runs are kept in a database that other data directories may use, too."""
    return settings.database_url is not None


def home_id(home: Path) -> str:
    """Return what names a data directory on every machine that sees it; made on first use."""
    file = prepare_home(home) / FILE
    if not file.exists():
        with exclusive(file, doing="naming the data directory"):
            if not file.exists():
                draft = file.with_suffix(".draft")
                draft.write_text(uuid.uuid4().hex[:16], encoding="ascii")
                draft.replace(file)
    return file.read_text(encoding="ascii").strip()


def home_of(settings: Settings) -> str | None:
    """Return the name of the data directory where others may share its database; else None."""
    return home_id(settings.home) if is_shared(settings) else None


def own_pool(settings: Settings) -> str:
    """Return the pool of the data directory alone."""
    return pool_of_home(home_id(settings.home))


def pool_of_home(identity: str) -> str:
    """Return the pool of the data directory with this id."""
    return f"home-{identity}"


def pools_of(settings: Settings) -> tuple[str, ...]:
    """Return the pools whose runs this directory's workers take; the first has its new runs."""
    if not is_shared(settings):
        return ()
    own = own_pool(settings)
    return (own,) if settings.worker_pool is None else (NAMED + settings.worker_pool, own)


def origin_of(settings: Settings) -> dict[str, Any]:
    """Return what is noted in the plan of a new run: its pool, and where it was started."""
    pools = pools_of(settings)
    return {"pool": pools[0], "place": place_of(settings)} if pools else {}


def place_of(settings: Settings) -> str:
    """Return a data directory as people know it."""
    return f"{settings.home} on {socket.gethostname()}"


def at_pool(queue: str, pool: str | None) -> str:
    """Return the name of a queue of a pool.

    >>> at_pool("runs", "pool-team"), at_pool("runs", None)
    ('runs@pool-team', 'runs')
    """
    return queue if pool is None else f"{queue}{SEPARATOR}{pool}"


def without_pool(queue: str) -> str:
    """Return which queue of a pool this is.

    >>> without_pool("runs@pool-team"), without_pool("runs")
    ('runs', 'runs')
    """
    return queue.partition(SEPARATOR)[0]
