"""Connecting a bus with the state database."""

import os
import socket
import uuid
from collections.abc import Sequence

from ml_orchestrator.orchestration.events._dead import DeadLetters
from ml_orchestrator.orchestration.events._glance import glance_at
from ml_orchestrator.orchestration.events._log import EventLog, Outbox
from ml_orchestrator.orchestration.events._turns import Turns
from ml_orchestrator.orchestration.events.ports import Connected
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.storage.engine import Database

__all__ = ["connect", "source_of"]

SQLITE_PAUSE_S = 0.25  # a look costs microseconds
ATTENTIVE_S = 0.05
POSTGRES_PAUSE_S = 2.0  # notifications come at once; this is for when they do not


def source_of(role: str) -> str:
    """Return what this process is called in the events that it publishes."""
    return f"{role} {os.getpid()} on {socket.gethostname()}"[:128]


def connect(
    database: Database, subscriptions: Sequence[Subscription], *, source: str, lease_s: float
) -> Connected:
    """Return everything a bus needs of ``database``, under a holder's name of its own."""
    log, outbox, holder = EventLog(database), Outbox(source), uuid.uuid4().hex
    is_sqlite = database.engine.dialect.name == "sqlite"
    return Connected(
        log=log,
        glance=glance_at(database),
        turns={
            each.name: Turns(database, each, holder=holder, ttl_s=lease_s, outbox=outbox)
            for each in subscriptions
            if each.is_durable
        },
        publish=lambda event: log.publish(outbox, event),
        sweep=lambda keep_days: log.sweep(keep_days=keep_days),
        n_dead=DeadLetters(database).count,
        longest_pause_s=SQLITE_PAUSE_S if is_sqlite else POSTGRES_PAUSE_S,
        attentive_pause_s=ATTENTIVE_S if is_sqlite else POSTGRES_PAUSE_S,
    )
