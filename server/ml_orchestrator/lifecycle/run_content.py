"""What is written to and read from a run, checked; nothing of MLflow itself."""

import math
import platform
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError, NotFoundError

__all__ = [
    "check_content",
    "check_run_id",
    "example_rows",
    "note_platform",
    "read_small",
]

EXAMPLE_ROWS = 5
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def check_run_id(run_id: str) -> None:
    """Raise InvalidInputError for what cannot be the id of a run of ours."""
    if not _RUN_ID.fullmatch(run_id):
        raise InvalidInputError(f"{run_id[:80]!r} cannot be a run id: letters, digits, _ and -.")


def check_content(
    names: Mapping[str, str], metrics: Mapping[str, float], artifacts: Mapping[str, bytes]
) -> None:
    """Raise InvalidInputError for names (by their kind), numbers or paths MLflow refuses."""
    for kind, name in names.items():
        if not _NAME.fullmatch(name):
            raise InvalidInputError(
                f"{name[:80]!r} cannot name {kind}: 1 to 128 letters, digits, _ . and -."
            )
    if odd := [name for name, value in metrics.items() if not math.isfinite(value)]:
        raise InvalidInputError(f"Metrics must be finite; these are not: {', '.join(odd)}.")
    for path in map(PurePosixPath, artifacts):
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise InvalidInputError(f"Artifact path {str(path)!r} leaves the run's directory.")


def example_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first rows as MLflow writes them in strict JSON, null where a value is missing.

    In a column of numbers MLflow 3.17 would write NaN, which is not JSON; and it compares column
    names in a way that pandas 3 deprecates for text columns.
    """
    rows = frame.head(EXAMPLE_ROWS).set_axis(frame.columns.astype(object), axis="columns")
    rows = rows.astype(object)
    return rows.where(rows.notna(), None)


def note_platform(directory: Path) -> None:
    """Add what MLflow leaves out; ``registry.environment`` reads it, pip takes it as a comment."""
    with (directory / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write(f"\n# platform: {platform.system()} {platform.machine()}\n")


def read_small(file: Path, name: str, *, limit_bytes: int) -> bytes:
    """Return a file of at most ``limit_bytes``.

    Raises:
        NotFoundError: there is none.
        IntegrityViolationError: it is larger.
    """
    if not file.is_file():
        raise NotFoundError(f"The run has no file {name!r}.")
    with file.open("rb") as opened:
        content = opened.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise IntegrityViolationError(
            f"{name!r} has more than {limit_bytes} bytes; no more are read."
        )
    return content
