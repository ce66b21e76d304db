"""What a person looks after, keys and approvals, as the settings say; needs no MLflow."""

import uuid
from datetime import UTC, datetime

from ml_orchestrator.registry.approvals import Approvals
from ml_orchestrator.registry.keys import Keyring
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["open_approvals", "open_keyring"]


def open_keyring(settings: Settings) -> Keyring:
    """Open the keys of a data directory."""
    return Keyring(settings.home, signing_key=settings.signing_key)


def open_approvals(database: Database) -> Approvals:
    """Open what persons were asked to approve."""
    return Approvals(database, new_id=lambda: uuid.uuid4().hex, now=lambda: datetime.now(UTC))
