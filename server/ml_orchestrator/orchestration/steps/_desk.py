"""The registry, opened for the time of one step."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ml_orchestrator.registry.desk import RegistryDesk, open_desk
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

__all__ = ["opened_desk"]


@contextmanager
def opened_desk(settings: Settings) -> Iterator[RegistryDesk]:
    """Give the registry of this data directory and close its database afterwards."""
    database = open_database(settings.state_url, settings.home)
    try:
        yield open_desk(
            tracking_uri=settings.mlflow_tracking_uri,
            registry_uri=settings.mlflow_registry_uri,
            home=settings.home,
            database=database,
            host=f"{socket.gethostname()}:{settings.home}",
            new_id=lambda: uuid.uuid4().hex,
            now=lambda: datetime.now(UTC),
        )
    finally:
        database.close()
