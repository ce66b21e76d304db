"""The serving log: a sample of the requests that were answered, as rows of Parquet files.

A row holds the inputs as the model took them, the prediction, the version and the time (UTC), and
of a version that tells them the probabilities of its classes, for which it is asked once the
request is answered. It is for looking back: a request never waits for it. What does not fit into
the queue, or a disk that takes no more, costs rows of the log and nothing else.
"""

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.serving.chances import Chances
from ml_orchestrator.serving.engine import Outcome, Request
from ml_orchestrator.serving.log_files import OwnColumns, log_folder, prune, write_file
from ml_orchestrator.serving.models import Prediction
from ml_orchestrator.serving.payload import read_table
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.slots import AskChances
from ml_orchestrator.serving.table import Table

__all__ = ["LogLimits", "ServingLog"]

MOST_WAITING = 1_000  # requests
MOST_WAITING_BYTES = 64_000_000  # of the requests that are in memory, queued or not yet written
FLUSH_S, FLUSH_ROWS, FLUSH_BYTES = 10.0, 5_000, MOST_WAITING_BYTES // 2
PRUNE_S = 60.0
CLOSE_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much is kept: share of the requests, days, and bytes of one model's log."""

    rate: float
    max_days: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class _Answered:
    version: int
    columns: Sequence[Column]
    request: Request
    predictions: tuple[Prediction, ...]
    at_us: int
    ask: AskChances | None
    chances: Chances | None = None


class ServingLog:
    """Writes a sample of what one server answers. Thread-safe; ``close`` writes what waits.

    Args of the constructor:
        home: the data directory.
        model: the registered model.
        limits: what is kept.
        rng: draws the sample.
        clock: seconds since 1970.
        flush_s: rows wait this long for more, at most; a server that is killed loses those.
    """

    def __init__(
        self,
        home: Path,
        model: str,
        limits: LogLimits,
        *,
        rng: Random,
        clock: Callable[[], float] = time.time,
        flush_s: float = FLUSH_S,
    ) -> None:
        self.n_dropped = 0
        self._folder = log_folder(home, model)
        self._limits = limits
        self._rng = rng
        self._clock = clock
        self._flush_s = flush_s
        self._waiting: queue.Queue[_Answered | None] = queue.Queue(MOST_WAITING)
        self._waiting_bytes, self._counting = 0, threading.Lock()
        self._rows: list[_Answered] = []
        self._n_predictions, self._n_bytes, self._n_chance_bytes = 0, 0, 0  # of the rows
        self._writer, self._n_files = secrets.token_hex(4), 0
        self._pruned_at = float("-inf")
        self._is_failing = False
        self._thread = threading.Thread(target=self._work, name="serving-log", daemon=True)
        self._thread.start()

    def offer(
        self,
        version: int,
        columns: Sequence[Column],
        request: Request,
        outcome: Outcome,
        ask: AskChances | None = None,
    ) -> None:
        """Take an answered request, if it is drawn and there is room; never waits or raises.

        ``ask`` is called later, in the log's own thread.
        """
        if outcome.status != 200 or not outcome.predictions or not columns:
            return
        if self._rng.random() >= self._limits.rate:
            return
        at_us = int(self._clock() * 1e6)
        answered = _Answered(version, columns, request, outcome.predictions, at_us, ask)
        with self._counting:
            if self._waiting_bytes + len(request.body) > MOST_WAITING_BYTES:
                self.n_dropped += 1
                return
            try:
                self._waiting.put_nowait(answered)
                self._waiting_bytes += len(request.body)
            except queue.Full:
                self.n_dropped += 1

    def close(self) -> None:
        """Write what waits, and end; done twice, it does nothing."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join(CLOSE_S)

    def _work(self) -> None:
        flush_at = float("inf")
        while True:
            self._prune()
            try:
                answered = self._waiting.get(timeout=min(self._flush_s, 1.0))
                if answered is None:
                    self._flush()
                    return
                if not self._rows:
                    flush_at = time.monotonic() + self._flush_s
                self._take(answered)
            except queue.Empty:
                pass
            n_bytes = self._n_bytes + self._n_chance_bytes
            is_full = self._n_predictions >= FLUSH_ROWS or n_bytes >= FLUSH_BYTES
            if self._rows and (is_full or time.monotonic() >= flush_at):
                self._flush()

    def _take(self, answered: _Answered) -> None:
        """Keep a request for the next file, with the chances of its classes if they are told."""
        chances = answered.ask(answered.request) if answered.ask else None
        self._rows.append(replace(answered, chances=chances))
        self._n_predictions += len(answered.predictions)
        self._n_bytes += len(answered.request.body)
        self._n_chance_bytes += 0 if chances is None else chances.values.nbytes

    def _flush(self) -> None:
        """Write what was taken, one file for each version; a failure is told once."""
        rows, self._rows = self._rows, []
        n_bytes, self._n_bytes, self._n_predictions = self._n_bytes, 0, 0
        self._n_chance_bytes = 0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for version in sorted({row.version for row in rows}):
                self._write([row for row in rows if row.version == version])
            self._is_failing = False
        except Exception:  # noqa: BLE001 whatever is wrong with the log, the server must go on
            with self._counting:
                self.n_dropped += len(rows)
            if not self._is_failing:
                _log.warning("The serving log cannot be written", exc_info=True)
            self._is_failing = True
        with self._counting:
            self._waiting_bytes -= n_bytes

    def _write(self, rows: Sequence[_Answered]) -> None:
        tables = [table for row in rows if (table := _as_table(row)) is not None]
        if tables:
            table = pa.concat_tables(tables, promote_options="permissive")
            self._n_files += 1
            last_us = max(row.at_us for row in rows)
            write_file(
                self._folder, table, last_us=last_us, writer=self._writer, number=self._n_files
            )

    def _prune(self) -> None:
        """Remove old files, at most once a minute; also while nothing is asked."""
        if time.monotonic() - self._pruned_at < PRUNE_S:
            return
        self._pruned_at = time.monotonic()
        limits = self._limits
        max_age_s, max_bytes = limits.max_days * 86_400, limits.max_bytes
        try:
            prune(self._folder, now_s=self._clock(), max_age_s=max_age_s, max_bytes=max_bytes)
        except OSError:
            _log.warning("Old files of the serving log cannot be removed", exc_info=True)


def _as_table(answered: _Answered) -> pa.Table | None:
    """Return the rows of a request; None if they do not go with the predictions."""
    try:
        table = read_table(answered.request, answered.columns)
    except InvalidInputError:  # it was answered all the same: the columns are of another version
        return None
    if table.n_rows != len(answered.predictions):
        return None
    inputs = _arrays(table, answered.columns)
    own = OwnColumns.beside(inputs)
    n_rows = table.n_rows
    return pa.table(
        {
            **inputs,
            own.prediction: _predictions(answered.predictions),
            own.version: pa.array([answered.version] * n_rows, pa.int32()),
            own.served_at: pa.array([answered.at_us] * n_rows, pa.timestamp("us")),
            **_chances(own, answered.chances, n_rows),
        }
    )


def _chances(own: OwnColumns, chances: Chances | None, n_rows: int) -> dict[str, Any]:
    if chances is None or len(chances.values) != n_rows:
        return {}
    columns = enumerate(chances.classes)
    return {f"{own.chance}{name}": pa.array(chances.values[:, i]) for i, name in columns}


def _arrays(table: Table, columns: Sequence[Column]) -> dict[str, Any]:
    if table.block is not None:
        return {c.name: pa.array(table.block[:, i]) for i, c in enumerate(columns)}
    pairs = zip(columns, table.arrays, strict=True)
    return {c.name: pa.array(array, from_pandas=True) for c, array in pairs}


def _predictions(values: Sequence[Prediction]) -> pa.Array:
    kinds = set(map(type, values))
    if kinds <= {int, float} and kinds != {int}:
        return pa.array([float(value) for value in values])
    if len(kinds) == 1:
        return pa.array(values)
    return pa.array([str(value) for value in values])
