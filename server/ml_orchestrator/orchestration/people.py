"""What a person looks after, keys and approvals, as the settings say; needs no MLflow."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TypeAlias

from ml_orchestrator.identity import person
from ml_orchestrator.registry.approvals import Approvals
from ml_orchestrator.registry.keys import Keyring
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database, open_database

__all__ = ["EnterAct", "audited", "open_approvals", "open_keyring"]

EnterAct: TypeAlias = Callable[[str, str], None]
"""Enters an act and its subject in the audit log."""


def open_keyring(settings: Settings) -> Keyring:
    """Open the keys of a data directory."""
    return Keyring(settings.home, signing_key=settings.signing_key)


def open_approvals(database: Database) -> Approvals:
    """Open what persons were asked to approve."""
    return Approvals(database, new_id=lambda: uuid.uuid4().hex, now=lambda: datetime.now(UTC))


@contextmanager
def audited(settings: Settings) -> Iterator[EnterAct]:
    """Open the audit log for what a person does to files: before it, so that it can be entered.

    Raises:
        UnavailableError: the state database cannot be opened or written.
    """
    with closing(open_database(settings.state_url, settings.home)) as database:

        def enter(act: str, subject: str) -> None:
            database.write(lambda c: audit(c, act, actor=person(), subject=subject))

        yield enter
