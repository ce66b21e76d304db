"""What experiment tracking hands back."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LoggedModel"]


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A finished MLflow run and the model it logged.

    Attributes:
        source_uri: ``models:/m-…``, to register the model from.
        directory: Its files, if they lie on this machine.
    """

    run_id: str
    model_id: str
    source_uri: str
    directory: Path | None
