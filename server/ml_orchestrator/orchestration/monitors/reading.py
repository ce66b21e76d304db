"""What a monitor looks at: what is new since its last look, of a file, of files, or of a log."""

import glob
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import polars as pl

from ml_orchestrator.datasets.kinds import column_kind, normalise
from ml_orchestrator.datasets.paths import resolve_allowed
from ml_orchestrator.datasets.sources import (
    BUILTIN_PREFIX,
    Dataset,
    file_size_bytes,
    load_dataset,
    load_head,
)
from ml_orchestrator.errors import InvalidInputError, NotFoundError, PathNotAllowedError
from ml_orchestrator.health.monitors.models import MonitorSpec
from ml_orchestrator.health.monitors.watches import SERVING_PREFIX, WILD, is_log, is_pattern
from ml_orchestrator.registry.names import check_model
from ml_orchestrator.serving.log_files import OwnColumns, log_files, log_folder
from ml_orchestrator.settings import Settings

__all__ = ["Data", "Nothing", "check_times", "check_watch", "peek", "read_new"]

MOST_FILES = 50  # of a pattern, in one look
PEEKED_ROWS = 10_000  # of what is too large to be read whole
_File: TypeAlias = tuple[int, str, int, Path]  # when it was written (ns), name, bytes


@dataclass(frozen=True, slots=True)
class Data:
    """New rows, newest last, and what to remember of them so that they are read once.

    ``n_rows`` is how many there are, of which ``frame`` may hold a part.
    """

    frame: pl.DataFrame
    seen: Mapping[str, Any]
    n_rows: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """That there is nothing (no_data), or nothing that was not seen before (unchanged)."""

    verdict: Literal["no_data", "unchanged"]
    reason: str


def check_watch(settings: Settings, spec: MonitorSpec) -> str | None:
    """Return why there is nothing to look at yet; None if there is.

    Raises:
        InvalidInputError: it could never be looked at.
        PathNotAllowedError: it leaves the allowed roots.
    """
    if is_log(spec.watch):
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
    if spec.watch.startswith(BUILTIN_PREFIX):
        return None
    try:
        resolve_allowed(spec.watch, settings.roots)
    except NotFoundError as error:
        return str(error)
    return None


def peek(settings: Settings, spec: MonitorSpec) -> pl.DataFrame | None:
    """Return what a look would read now, or the newest part of it; None if there is nothing yet.

    A file that is larger than what is read whole shows its first 10,000 rows.

    Raises:
        OrchestratorError: it is there and cannot be read; the message says why.
    """
    if is_log(spec.watch):
        files = log_files(log_folder(settings.home, spec.watch.removeprefix(SERVING_PREFIX)))
        return normalise(pl.read_parquet(files[-1].path)) if files else None
    if is_pattern(spec.watch):
        found = _matches(settings, spec.watch)
        return _peeked(settings, spec, str(found[-1][-1])) if found else None
    try:
        return _peeked(settings, spec, spec.watch)
    except NotFoundError:
        if spec.watch.startswith(BUILTIN_PREFIX):
            raise
        return None


def check_times(frame: pl.DataFrame, name: str, source: str) -> None:
    """Refuse a time column that puts no rows in order.

    Raises:
        InvalidInputError: the source has no such column, or it holds no dates, times or numbers.
    """
    if name not in frame.columns:
        raise InvalidInputError(
            f"{source!r} has no time column {name!r}; it has {', '.join(frame.columns[:30])}."
        )
    column = frame[name]
    if column_kind(column) not in ("numeric", "temporal"):
        shown = next(iter(column.drop_nulls().head(1)), None)
        raise InvalidInputError(
            f"Time column {name!r} of {source!r} holds {column.dtype}, such as {shown!r}; dates, "
            "times or numbers are needed. Write dates as 2026-01-31 or 2026-01-31T12:00:00."
        )


def read_new(settings: Settings, spec: MonitorSpec, seen: Mapping[str, Any]) -> Data | Nothing:
    """Return what is new, or why nothing is; ``seen`` is what the last look remembered.

    A file is new when its content is; of a pattern and of a log, what came since the last look,
    once there are ``least_rows`` rows of it.

    Raises:
        OrchestratorError: it cannot be read; the message says why.
    """
    if is_log(spec.watch):
        found = _of_log(settings, spec, seen)
    elif is_pattern(spec.watch):
        found = _of_pattern(settings, spec, seen)
    else:
        found = _of_file(settings, spec, seen)
    if isinstance(found, Nothing):
        return found
    frame = found.frame
    if spec.time_column is not None:
        check_times(frame, spec.time_column, spec.watch)
        frame = frame.sort(spec.time_column, nulls_last=False)
    return Data(frame.tail(spec.rows), found.seen, found.n_rows, found.notices)


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
    seen_now = {"stamp": stamp, "digest": dataset.digest}
    return Data(dataset.frame, seen_now, dataset.n_rows, dataset.notices)


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
    n_rows = sum(dataset.n_rows for dataset in datasets)
    return Data(frame, {"files": [_mark(file) for file in files]}, n_rows, notices)


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
    return Data(normalise(frame), {"served_us": new[-1].last_us}, frame.height)


def _peeked(settings: Settings, spec: MonitorSpec, source: str) -> pl.DataFrame:
    if file_size_bytes(source, roots=settings.roots) <= settings.max_data_bytes:
        return _load(settings, spec, source).frame
    head = load_head(
        source, roots=settings.roots, n_rows=PEEKED_ROWS, column_types=spec.column_types
    )
    return head.frame


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
    fixed = Path(*itertools.takewhile(WILD.isdisjoint, parts))
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
