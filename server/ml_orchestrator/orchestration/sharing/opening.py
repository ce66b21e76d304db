"""Opening the leases and notes of a shared database for the data directory of these settings."""

from ml_orchestrator.orchestration.launch import Books
from ml_orchestrator.orchestration.sharing.leases import SharedLeases
from ml_orchestrator.orchestration.sharing.notes import SharedNotes
from ml_orchestrator.orchestration.sharing.pools import home_id
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.orchestration.versions import PLAN_VERSION
from ml_orchestrator.settings import Settings

__all__ = ["open_books", "open_leases", "open_notes"]


def open_leases(settings: Settings, rows: Rows | None = None) -> SharedLeases:
    """Return the leases, on connections of their own unless ``rows`` is given."""
    if rows is None:
        rows = Rows(settings.state_url)
    return SharedLeases(
        rows,
        home_id(settings.home),
        ttl_s=settings.lease_ttl_s,
        pool=settings.worker_pool,
        plan_version=PLAN_VERSION,
    )


def open_notes(settings: Settings, rows: Rows | None = None) -> SharedNotes:
    """Return the notes of workers, on connections of their own unless ``rows`` is given."""
    if rows is None:
        rows = Rows(settings.state_url)
    return SharedNotes(rows, home_id(settings.home))


def open_books(settings: Settings) -> Books:
    """Return both on one pool of connections, which is kept until they are closed."""
    rows = Rows(settings.state_url, is_kept=True)
    return Books(open_leases(settings, rows), open_notes(settings, rows), rows.close)
