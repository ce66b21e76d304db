"""Moments as the workflow database keeps them, in milliseconds since 1970."""

from datetime import UTC, datetime

from ml_orchestrator.storage.engine import timestamp

__all__ = ["lasted", "time_of"]


def time_of(epoch_ms: int) -> str:
    """Return a moment in milliseconds since 1970 as ISO 8601 UTC."""
    return timestamp(datetime.fromtimestamp(epoch_ms / 1000, UTC))


def lasted(began: int | None, ended: int | None) -> tuple[str | None, float | None]:
    """Return when something began, as ISO 8601 UTC, and its seconds; None for what is not known.

    Where the clock was set back meanwhile, it took 0 s at least.

    Args:
        began: in milliseconds since 1970; None or 0 if it has not.
        ended: likewise.
    """
    seconds = max(0.0, (ended - began) / 1000) if began and ended else None
    return time_of(began) if began else None, seconds
