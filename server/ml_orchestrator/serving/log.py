"""The serving log: a sample of the requests that were answered, as rows of Parquet files.

A row holds the inputs as the model took them, the prediction, the version and the time (UTC), and
of a version that tells them the probabilities of its classes, for which it is asked once the
request is answered. It is for looking back: a request never waits for it. What does not fit into
the queue, or a disk that takes no more, costs rows of the log and nothing else. While more than
half of the queue waits, and once the log is closed, rows are taken without their probabilities:
a model that is slow to tell them costs those and not the rows.
"""

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pyarrow as pa

from ml_orchestrator.serving.engine import Outcome, Request
from ml_orchestrator.serving.log_files import log_folder, prune, write_file
from ml_orchestrator.serving.log_rows import Answered, as_table
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.slot import AskChances

__all__ = ["LogLimits", "ServingLog"]

MOST_WAITING = 1_000  # requests
MOST_TO_ASK = MOST_WAITING // 2  # of more that wait none is asked for chances
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


class ServingLog:
    """Writes a sample of what one server answers. Thread-safe; ``close`` writes what waits.

    ``n_dropped`` counts the requests that were drawn and are not written.

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
        self._waiting: queue.Queue[Answered | None] = queue.Queue(MOST_WAITING)
        self._waiting_bytes, self._n_unsettled = 0, 0  # taken, neither written nor dropped
        self._counting, self._closing = threading.Lock(), threading.Event()
        self._rows: list[Answered] = []
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

        ``ask`` is called later, in the log's own thread, which waits for it: it must end in
        seconds.
        """
        if outcome.status != 200 or not outcome.predictions or not columns:
            return
        if self._rng.random() >= self._limits.rate:
            return
        at_us = int(self._clock() * 1e6)
        answered = Answered(version, columns, request, outcome.predictions, at_us, ask)
        with self._counting:
            is_full = self._waiting_bytes + len(request.body) > MOST_WAITING_BYTES
            if is_full or self._closing.is_set():
                self.n_dropped += 1
                return
            try:
                self._waiting.put_nowait(answered)
                self._waiting_bytes += len(request.body)
                self._n_unsettled += 1
            except queue.Full:
                self.n_dropped += 1

    def close(self) -> None:
        """Write what waits, without asking for chances, and end; done twice, it does nothing.

        What is not written after 10 s counts as dropped. What was dropped is told.
        """
        with self._counting:
            if self._closing.is_set():
                return
            self._closing.set()
        with suppress(queue.Full):  # else the writer has something to wake up for
            self._waiting.put_nowait(None)
        self._thread.join(CLOSE_S)
        with self._counting:
            if self._thread.is_alive():
                self.n_dropped += self._n_unsettled
            if self.n_dropped:
                _log.warning("%d requests are not in the serving log", self.n_dropped)

    def _work(self) -> None:
        flush_at = float("inf")
        while True:
            self._prune()
            is_last = self._closing.is_set()  # first: what is offered after it is not taken
            try:
                answered = self._waiting.get(not is_last, timeout=min(self._flush_s, 1.0))
            except queue.Empty:
                if is_last:
                    self._flush()
                    return
                answered = None
            if answered is not None:
                if not self._rows:
                    flush_at = time.monotonic() + self._flush_s
                self._take(answered)
            n_bytes = self._n_bytes + self._n_chance_bytes
            is_full = self._n_predictions >= FLUSH_ROWS or n_bytes >= FLUSH_BYTES
            if self._rows and (is_full or time.monotonic() >= flush_at):
                self._flush()

    def _take(self, answered: Answered) -> None:
        """Keep a request for the next file, with the chances of its classes if they are told."""
        is_asked = not self._closing.is_set() and self._waiting.qsize() <= MOST_TO_ASK
        chances = answered.ask(answered.request) if answered.ask and is_asked else None
        self._rows.append(replace(answered, chances=chances))
        self._n_predictions += len(answered.predictions)
        self._n_bytes += len(answered.request.body)
        self._n_chance_bytes += 0 if chances is None else chances.values.nbytes

    def _flush(self) -> None:
        """Write what was taken, one file for each version; a failure is told once."""
        rows, self._rows = self._rows, []
        n_bytes, self._n_bytes, self._n_predictions = self._n_bytes, 0, 0
        self._n_chance_bytes, n_written = 0, 0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for version in sorted({row.version for row in rows}):
                n_written += self._write([row for row in rows if row.version == version])
            self._is_failing = False
        except Exception:  # noqa: BLE001 whatever is wrong with the log, the server must go on
            if not self._is_failing:
                _log.warning("The serving log cannot be written", exc_info=True)
            self._is_failing = True
        with self._counting:
            self.n_dropped += len(rows) - n_written
            self._n_unsettled -= len(rows)
            self._waiting_bytes -= n_bytes

    def _write(self, rows: Sequence[Answered]) -> int:
        """Write requests of one version; return how many could be: the others fit no rows."""
        tables = [table for row in rows if (table := as_table(row)) is not None]
        if tables:
            table = pa.concat_tables(tables, promote_options="permissive")
            self._n_files += 1
            last_us = max(row.at_us for row in rows)
            write_file(
                self._folder, table, last_us=last_us, writer=self._writer, number=self._n_files
            )
        return len(tables)

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
