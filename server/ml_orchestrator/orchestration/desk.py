"""The registry as the settings say: opened for a server, or for the time of one step."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ml_orchestrator.orchestration.announcing import announce_move, outbox_of
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.registry.desk import RegistryDesk, open_desk
from ml_orchestrator.registry.inspection import ModelPolicy
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

__all__ = ["open_registry", "registry_for_a_step"]


def open_registry(settings: Settings, database: Database) -> RegistryDesk:
    """Open the registry of a data directory; its moves are published as events."""
    return open_desk(
        tracking_uri=settings.mlflow_tracking_uri,
        registry_uri=settings.mlflow_registry_uri,
        home=settings.home,
        database=database,
        host=f"{socket.gethostname()}:{settings.home}",
        new_id=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
        signing_key=settings.signing_key,
        policy=ModelPolicy(
            trusted_types=trusted_types(settings), allow_pickle=settings.allow_pickle
        ),
        moved=announce_move(outbox_of("registry")),
    )


@contextmanager
def registry_for_a_step(settings: Settings) -> Iterator[RegistryDesk]:
    """Give the registry and close its database afterwards."""
    database = open_database(settings.state_url, settings.home)
    try:
        yield open_registry(settings, database)
    finally:
        database.close()
