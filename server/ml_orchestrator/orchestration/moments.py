"""Moments as the workflow database keeps them, in milliseconds since 1970."""

from datetime import UTC, datetime

from ml_orchestrator.storage.engine import timestamp

__all__ = ["time_of"]


def time_of(epoch_ms: int) -> str:
    """Return a moment in milliseconds since 1970 as ISO 8601 UTC."""
    return timestamp(datetime.fromtimestamp(epoch_ms / 1000, UTC))
