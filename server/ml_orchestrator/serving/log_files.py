"""The files of a model's serving log: whole Parquet files, named by the time of their last row.

Each appears under its name with all of its content or not at all, so that what a killed server
leaves can be read. Old ones go by age and by size.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["LogFile", "OwnColumns", "log_files", "log_folder", "prune", "write_file"]

_NAME = re.compile(r"(\d{16})-[0-9a-f]{8}-\d{6}\.parquet")
_USUAL = ("prediction", "model_version", "served_at")
_CHANCE = "probability_"
DRAFT = ".draft-"
STALE_DRAFT_S = 3_600.0


@dataclass(frozen=True, slots=True)
class OwnColumns:
    """The columns that the log adds; one that an input is called already gets a leading _.

    ``chance`` is what the columns of probabilities begin with; the class follows. They stand after
    all others.
    """

    prediction: str
    version: str
    served_at: str
    chance: str

    @classmethod
    def beside(cls, inputs: Mapping[str, object]) -> "OwnColumns":
        """Return names that no input has.

        >>> OwnColumns.beside({"prediction": 1}).prediction
        '_prediction'
        """
        chance = _CHANCE
        while any(name.startswith(chance) for name in inputs):
            chance = f"_{chance}"
        prediction, version, served_at = (_free(name, inputs) for name in _USUAL)
        return cls(prediction, version, served_at, chance)

    @classmethod
    def among(cls, columns: Collection[str]) -> "OwnColumns":
        """Return which of the columns of a log are its own."""
        chance = _CHANCE
        while any(name.startswith(f"_{chance}") for name in columns):
            chance = f"_{chance}"
        prediction, version, served_at = (_own(name, columns) for name in _USUAL)
        return cls(prediction, version, served_at, chance)

    def probabilities(self, columns: Collection[str]) -> dict[str, str]:
        """Return class to column of its probability, of the columns of a log in their order.

        >>> columns = ["age", "prediction", "model_version", "served_at", "probability_yes"]
        >>> OwnColumns.among(columns).probabilities(columns)
        {'yes': 'probability_yes'}
        """
        names = list(columns)
        if self.served_at in names:
            names = names[names.index(self.served_at) + 1 :]
        found = (name for name in names if name.startswith(self.chance))
        return {name.removeprefix(self.chance): name for name in found}


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file; ``last_us`` is when its last row was answered, in microseconds since 1970."""

    path: Path
    last_us: int


def log_folder(home: Path, model: str) -> Path:
    """Return where the serving log of a model is kept."""
    return home / "serving-log" / model


def log_files(folder: Path) -> list[LogFile]:
    """Return the files of a log, oldest first."""
    found = ((path, _NAME.fullmatch(path.name)) for path in folder.glob("*.parquet"))
    files = [LogFile(path, int(name[1])) for path, name in found if name is not None]
    return sorted(files, key=lambda file: (file.last_us, file.path.name))


def write_file(folder: Path, table: pa.Table, *, last_us: int, writer: str, number: int) -> Path:
    """Write a table as one more file, whole or not at all, and return its path.

    Args:
        folder: of the log; it exists.
        table: the rows.
        last_us: when the last of them was answered.
        writer: eight hexadecimal digits of the process that writes.
        number: counts its files.

    Raises:
        OSError: the disk does not take it; nothing is left.
    """
    path = folder / f"{last_us:016d}-{writer}-{number:06d}.parquet"
    draft = folder / f"{DRAFT}{path.name}"
    try:
        with draft.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def prune(folder: Path, *, now_s: float, max_age_s: float, max_bytes: int) -> int:
    """Remove the oldest files beyond an age or a size of all, and drafts of dead servers.

    Returns how many files went.
    """
    _remove_drafts(folder, now_s)
    return sum(_removed(file.path) for file in _surplus(folder, now_s, max_age_s, max_bytes))


def _surplus(folder: Path, now_s: float, max_age_s: float, max_bytes: int) -> Iterator[LogFile]:
    size = 0
    for file in reversed(log_files(folder)):
        size += _size(file.path)
        if size > max_bytes or now_s - file.last_us / 1e6 > max_age_s:
            yield file


def _remove_drafts(folder: Path, now_s: float) -> None:
    for path in folder.glob(f"{DRAFT}*"):
        try:
            is_stale = now_s - path.stat().st_mtime > STALE_DRAFT_S
        except FileNotFoundError:
            continue
        if is_stale:
            path.unlink(missing_ok=True)


def _removed(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another server's retention was faster
        return 0


def _own(name: str, columns: Collection[str]) -> str:
    while f"_{name}" in columns:
        name = f"_{name}"
    return name


def _free(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name = f"_{name}"
    return name
