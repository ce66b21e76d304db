"""Which types a saved model may hold: ours, and those of other packages that the operator names."""

from ml_orchestrator.settings import Settings
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

__all__ = ["trusted_types"]


def trusted_types(settings: Settings) -> tuple[str, ...]:
    """Return the types that skops may create besides those that every model may hold."""
    return (*EXTRA_TRUSTED_TYPES, *settings.trusted_types)
