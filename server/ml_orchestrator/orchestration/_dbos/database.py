"""The workflow database: preparing it, connecting to it, what client and engine call its parts."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import wraps
from itertools import product
from typing import ParamSpec, TypeVar

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, WorkflowStatus
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.versions import PLAN_VERSION
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.creation import sqlite_file, with_whole_file
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
    "prepare",
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

# At INFO it names the address of the database.
logging.getLogger("dbos").setLevel(logging.WARNING)


def prepare(settings: Settings) -> None:
    """Create or migrate the workflow database and its queue; for many processes at once."""
    prepare_home(settings.home)
    doing = "preparing the workflow database"
    with_whole_file(settings.workflows_url, doing=doing, build=DBOS.migrate)
    with exclusive(settings.home / "workflows.db", doing=doing):
        if path := sqlite_file(settings.workflows_url):
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        DBOS.migrate(settings.workflows_url)
        client = connect(settings)
        for queue, at_once in QUEUES.items():
            client.register_queue(queue, worker_concurrency=at_once, on_conflict="never_update")
        client.destroy()


def connect(settings: Settings) -> DBOSClient:
    """Return a client of the prepared database; its caller destroys it."""
    return DBOSClient(
        system_database_url=settings.workflows_url,
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
                f"The workflow database refused: {reason}. Check the disk and "
                "ML_ORCHESTRATOR_HOME, or try again in a moment."
            ) from error

    return guarded


def depths_of(rows: Sequence[WorkflowStatus]) -> dict[tuple[str, str], int]:
    """Return how many unfinished runs there are by queue and state (queued, running)."""
    found = dict.fromkeys(product(QUEUES, UNFINISHED.values()), 0)
    for row in rows:
        key = str(row.queue_name), UNFINISHED[row.status]
        found[key] = found.get(key, 0) + 1
    return found
