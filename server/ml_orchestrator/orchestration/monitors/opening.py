"""Opening what monitors need, as the settings say."""

import uuid

from ml_orchestrator.health.monitors.store import MonitorStore
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.announcing import MailAnnouncer, announce_alert, outbox_of
from ml_orchestrator.storage.engine import Database

__all__ = ["KIND", "open_mailbox", "open_monitors"]

KIND = "monitor"  # of their schedules


def open_monitors(database: Database) -> MonitorStore:
    """Return the record of monitors, looks and alerts."""
    return MonitorStore(
        database,
        new_id=lambda: f"alert-{uuid.uuid4().hex[:12]}",
        alerted=announce_alert(outbox_of("monitor")),
    )


def open_mailbox(database: Database, *readers: str) -> SqlMailbox:
    """Return the mailbox; it knows those who are to be told."""
    news = MailAnnouncer(outbox_of("monitor"))
    return SqlMailbox(database, shipped=tuple(dict.fromkeys(readers)), news=news)
