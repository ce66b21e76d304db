"""The workflow database: preparing it, connecting to it, what client and engine call its parts."""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache, wraps
from itertools import product
from typing import ParamSpec, TypeVar

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, WorkflowStatus
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.sharing.pools import at_pool, is_shared, pools_of, without_pool
from ml_orchestrator.orchestration.versions import PLAN_VERSION
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.creation import sqlite_file, with_whole_file
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.locks import exclusive

__all__ = [
    "APPLICATION",
    "PIPELINES",
    "PLAN_VERSION",
    "QUEUES",
    "UNFINISHED",
    "WORKFLOW",
    "connect",
    "depths_of",
    "of_pools",
    "prepare",
    "schema_of",
    "typed",
]

APPLICATION = "ml-orchestrator"
P = ParamSpec("P")
R = TypeVar("R")
WORKFLOW = "run"
# Runs at once by queue. A roll-out mostly waits, and training must not make it wait longer; nor
# must it keep monitors from looking. The steps of pipelines are admitted one by one.
PIPELINES = "pipelines"
QUEUES = {"runs": 2, "rollouts": 4, "monitors": 2, PIPELINES: 16}
UNFINISHED = {"ENQUEUED": "queued", "PENDING": "running"}

# At INFO it names the address of the database. What it says goes to our log, which leaves logins
# away; a handler of its own, as it makes unless there is one (dbos 3.4), would not.
_theirs = logging.getLogger("dbos")
_theirs.setLevel(logging.WARNING)
_theirs.handlers[:] = [logging.NullHandler()]
_theirs.propagate = True


def prepare(settings: Settings) -> None:
    """Create or migrate the workflow database and its queues; for many processes at once.

    On Postgres the state database is, too: the leases of workers are there.
    """
    prepare_home(settings.home)
    if is_shared(settings):
        open_database(settings.state_url, settings.home).close()
    doing = "preparing the workflow database"
    with_whole_file(settings.workflows_url, doing=doing, build=DBOS.migrate)
    with exclusive(settings.home / "workflows.db", doing=doing):
        if path := sqlite_file(settings.workflows_url):
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        DBOS.migrate(settings.workflows_url, schema=schema_of(settings))
        client = connect(settings)
        for queue, at_once in of_pools(QUEUES, settings).items():
            client.register_queue(queue, worker_concurrency=at_once, on_conflict="never_update")
        client.destroy()


def of_pools(queues: Mapping[str, int], settings: Settings) -> dict[str, int]:
    """Return the queues that a worker with these settings looks at; each pool has its own."""
    pools = pools_of(settings) or (None,)
    return {at_pool(queue, pool): queues[queue] for pool in pools for queue in queues}


def schema_of(settings: Settings) -> str:
    """Return the schema of the workflow tables, which is beside that of the state on Postgres.

    >>> from pathlib import Path
    >>> schema_of(Settings.read({}, home=Path("x"), project_dir=Path("x")))  # SQLite has none
    'dbos'
    """
    return _schema_beside(settings.state_url) if is_shared(settings) else "dbos"


@cache
def _schema_beside(url: str) -> str:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        current = connection.execute(text("SELECT current_schema()")).scalar()
    if current is None:
        raise UnavailableError(
            "The schema that ML_ORCHESTRATOR_DATABASE_URL names in its search_path does not exist. "
            "Create it, or leave the search_path away."
        )
    return f"{current}_runs"


def connect(settings: Settings) -> DBOSClient:
    """Return a client of the prepared database; its caller destroys it."""
    return DBOSClient(
        system_database_url=settings.workflows_url,
        dbos_system_schema=schema_of(settings),
        application_name=APPLICATION,
        serializer=DBOSPortableJSONSerializer(),
        retry_connection_errors=False,
    )


def typed(call: Callable[P, R]) -> Callable[P, R]:
    """Let what the databases raise leave ``call`` as an error of ours."""

    @wraps(call)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            reason = str(getattr(error, "orig", error)).splitlines()[0]
            raise UnavailableError(
                f"The workflow database refused: {reason}. Check the disk, ML_ORCHESTRATOR_HOME "
                "and ML_ORCHESTRATOR_DATABASE_URL, or try again in a moment."
            ) from error

    return guarded


def depths_of(rows: Sequence[WorkflowStatus]) -> dict[tuple[str, str], int]:
    """Return how many unfinished runs there are by queue and state (queued, running)."""
    found = dict.fromkeys(product(QUEUES, UNFINISHED.values()), 0)
    for row in rows:
        key = without_pool(str(row.queue_name)), UNFINISHED[row.status]
        found[key] = found.get(key, 0) + 1
    return found
