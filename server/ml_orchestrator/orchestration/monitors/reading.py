"""What a monitor looks at: what is new since its last look, of a file, of files, or of a log."""

import glob
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import polars as pl

from ml_orchestrator.datasets.kinds import normalise
from ml_orchestrator.datasets.paths import resolve_allowed
from ml_orchestrator.datasets.sources import BUILTIN_PREFIX, Dataset, load_dataset
from ml_orchestrator.errors import InvalidInputError, NotFoundError, PathNotAllowedError
from ml_orchestrator.health.monitors.models import SERVING_PREFIX, MonitorSpec
from ml_orchestrator.registry.names import check_model
from ml_orchestrator.serving.log_files import OwnColumns, log_files, log_folder
from ml_orchestrator.settings import Settings

__all__ = ["Data", "Nothing", "check_watch", "is_pattern", "read_new"]

MOST_FILES = 50  # of a pattern, in one look
_WILD = frozenset("*?[")
_File: TypeAlias = tuple[int, str, int, Path]  # when it was written (ns), name, bytes


@dataclass(frozen=True, slots=True)
class Data:
    """New rows, newest last, and what to remember of them so that they are read once."""

    frame: pl.DataFrame
    seen: Mapping[str, Any]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """That there is nothing (no_data), or nothing that was not seen before (unchanged)."""

    verdict: Literal["no_data", "unchanged"]
    reason: str


def is_pattern(watch: str) -> bool:
    """Whether a source names files by a pattern."""
    return not watch.startswith((BUILTIN_PREFIX, SERVING_PREFIX)) and not _WILD.isdisjoint(watch)


def check_watch(settings: Settings, spec: MonitorSpec) -> str | None:
    """Return why there is nothing to look at yet; None if there is.

    Raises:
        InvalidInputError: it could never be looked at.
        PathNotAllowedError: it leaves the allowed roots.
    """
    if spec.watch.startswith(SERVING_PREFIX):
        model = check_model(spec.watch.removeprefix(SERVING_PREFIX))
        if spec.column_types or spec.time_column is not None:
            raise InvalidInputError(
                "A serving log has its types and its times; leave column_types and time_column out."
            )
        if log_files(log_folder(settings.home, model)):
            return None
        return (
            f"No request to {model!r} is on record yet. Servers keep a share of them if "
            "ML_ORCHESTRATOR_SERVING_LOG_RATE is above 0."
        )
    if is_pattern(spec.watch):
        return None if _matches(settings, spec.watch) else f"No file matches {spec.watch!r} yet."
    try:
        if spec.watch.startswith(BUILTIN_PREFIX):
            _load(settings, spec, spec.watch)
        else:
            resolve_allowed(spec.watch, settings.roots)
    except NotFoundError as error:
        if spec.watch.startswith(BUILTIN_PREFIX):
            raise
        return str(error)
    return None


def read_new(settings: Settings, spec: MonitorSpec, seen: Mapping[str, Any]) -> Data | Nothing:
    """Return what is new, or why nothing is; ``seen`` is what the last look remembered.

    A file is new when its content is; of a pattern and of a log, what came since the last look,
    once there are ``least_rows`` rows of it.

    Raises:
        OrchestratorError: it cannot be read; the message says why.
    """
    if spec.watch.startswith(SERVING_PREFIX):
        found = _of_log(settings, spec, seen)
    elif is_pattern(spec.watch):
        found = _of_pattern(settings, spec, seen)
    else:
        found = _of_file(settings, spec, seen)
    if isinstance(found, Nothing):
        return found
    frame = found.frame
    if spec.time_column is not None:
        if spec.time_column not in frame.columns:
            raise InvalidInputError(
                f"{spec.watch!r} has no column {spec.time_column!r}; it has "
                f"{', '.join(frame.columns[:30])}."
            )
        frame = frame.sort(spec.time_column, nulls_last=False)
    return Data(frame.tail(spec.rows), found.seen, found.notices)


def _of_file(settings: Settings, spec: MonitorSpec, seen: Mapping[str, Any]) -> Data | Nothing:
    stamp = None
    try:
        if not spec.watch.startswith(BUILTIN_PREFIX):
            found = resolve_allowed(spec.watch, settings.roots).stat()
            stamp = [found.st_mtime_ns, found.st_size]
            if seen.get("stamp") == stamp:
                return Nothing("unchanged", f"{spec.watch} has not changed.")
        dataset = _load(settings, spec, spec.watch)
    except NotFoundError as error:
        return Nothing("no_data", str(error))
    if seen.get("digest") == dataset.digest:
        return Nothing("unchanged", f"{spec.watch} has not changed.")
    if dataset.frame.height < spec.least_rows:
        return Nothing("no_data", _too_few(dataset.frame.height, spec, spec.watch))
    return Data(dataset.frame, {"stamp": stamp, "digest": dataset.digest}, dataset.notices)


def _of_pattern(settings: Settings, spec: MonitorSpec, seen: Mapping[str, Any]) -> Data | Nothing:
    files = _matches(settings, spec.watch)
    if not files:
        return Nothing("no_data", f"No file matches {spec.watch!r}.")
    new = _unseen(files, seen)
    if not new:
        return Nothing("unchanged", f"No new file matches {spec.watch!r}.")
    taken = _newest(new, settings.max_data_bytes)
    datasets = [_load(settings, spec, str(path)) for *_, path in taken]
    frame = _together([dataset.frame for dataset in datasets], spec.watch)
    if frame.height < spec.least_rows:
        return Nothing("unchanged", _too_few(frame.height, spec, f"{len(new)} new files"))
    notices = tuple(dict.fromkeys(notice for data in datasets for notice in data.notices))
    if len(taken) < len(new):
        notices += (f"Of {len(new)} new files the newest {len(taken)} are looked at.",)
    return Data(frame, {"files": [_mark(file) for file in files]}, notices)


def _of_log(settings: Settings, spec: MonitorSpec, seen: Mapping[str, Any]) -> Data | Nothing:
    model = spec.watch.removeprefix(SERVING_PREFIX)
    since = int(seen.get("served_us", 0))
    files = log_files(log_folder(settings.home, model))
    new = [file for file in files if file.last_us > since]
    if not new:
        verdict: Literal["no_data", "unchanged"] = "unchanged" if files else "no_data"
        said = "No request was logged since the last look." if files else "Nothing is logged."
        return Nothing(verdict, said)
    frames: list[pl.DataFrame] = []
    for file in reversed(new):  # the newest that make up ``rows``
        frame = pl.read_parquet(file.path)
        at = pl.col(OwnColumns.among(frame.columns).served_at).cast(pl.Int64)
        frames.insert(0, frame.filter(at > since))
        if sum(part.height for part in frames) >= spec.rows:
            break
    frame = _together(frames, spec.watch)
    if frame.height < spec.least_rows:
        return Nothing("unchanged", _too_few(frame.height, spec, "new requests"))
    return Data(normalise(frame), {"served_us": new[-1].last_us})


def _load(settings: Settings, spec: MonitorSpec, source: str) -> Dataset:
    return load_dataset(
        source,
        roots=settings.roots,
        max_bytes=settings.max_data_bytes,
        column_types=spec.column_types,
    )


def _matches(settings: Settings, pattern: str) -> list[_File]:
    """Return the allowed files of a pattern, oldest first, each with its time, name and size."""
    if ".." in Path(pattern).parts or "**" in pattern or "://" in pattern:
        raise PathNotAllowedError(
            f"Pattern {pattern!r} is not allowed: name files inside one folder of the roots, such "
            "as data/day-*.parquet, without '..' and '**'."
        )
    _check_folder(settings, pattern)
    found = []
    for name in glob.glob(str(settings.roots[0] / pattern)):  # noqa: PTH207 it may be absolute
        path = resolve_allowed(name, settings.roots)
        stat = path.stat()
        found.append((stat.st_mtime_ns, path.name, stat.st_size, path))
    return sorted(found)


def _check_folder(settings: Settings, pattern: str) -> None:
    """Refuse a pattern outside the roots, whether or not anything there matches it."""
    parts = Path(pattern).parts[:-1]
    fixed = Path(*itertools.takewhile(_WILD.isdisjoint, parts))
    roots = [root.resolve() for root in settings.roots]
    folder = (roots[0] / fixed).resolve()
    if not any(folder.is_relative_to(root) for root in roots):
        raise PathNotAllowedError(
            f"Pattern {pattern!r} is outside the allowed roots: {', '.join(map(str, roots))}. Move "
            "its files there, or ask the operator to add its folder to ML_ORCHESTRATOR_DATA_ROOTS."
        )


def _unseen(files: Sequence[_File], seen: Mapping[str, Any]) -> list[_File]:
    """Return the files that no look took; one that arrives late may be older than those."""
    if "files" not in seen:  # of a release that remembered the newest alone
        newest = tuple(seen.get("newest", (0, "")))
        return [file for file in files if file[:2] > newest]
    known = frozenset(seen["files"])
    return [file for file in files if _mark(file) not in known]


def _mark(file: _File) -> str:
    """Return what stands for a file that was seen: its name, time and size."""
    return hashlib.sha256("\0".join(map(str, file[:3])).encode()).hexdigest()[:16]


def _newest(files: Sequence[_File], max_bytes: int) -> Sequence[_File]:
    """Return the newest files, as many as may be read at once; one at least."""
    n_taken, size = 0, 0
    for _, _, n_bytes, _ in reversed(files):
        size += n_bytes
        if n_taken == MOST_FILES or (n_taken and size > max_bytes):
            break
        n_taken += 1
    return files[-n_taken:]


def _together(frames: Sequence[pl.DataFrame], watch: str) -> pl.DataFrame:
    try:
        return pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise InvalidInputError(
            f"The parts of {watch!r} do not go together: {str(error).splitlines()[0][:300]}. "
            "Read the column as one type by column_types."
        ) from error


def _too_few(n_rows: int, spec: MonitorSpec, where: str) -> str:
    return f"{where}: {n_rows} rows; a look takes {spec.least_rows}."
