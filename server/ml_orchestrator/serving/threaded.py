"""A model that answers in a thread of this process, requests that wait put into one batch.

scikit-learn takes nearly as long for one row as for a hundred, so what has arrived while the
model was busy is answered in one go; a request that comes alone is answered alone.
"""

import json
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.serving.chances import chances_outcome
from ml_orchestrator.serving.engine import Done, Outcome, Request
from ml_orchestrator.serving.loader import LoadedModel, reads_other_rows
from ml_orchestrator.serving.noting import notices_on
from ml_orchestrator.serving.output import Kind, answers_of, check_count, single_answers
from ml_orchestrator.serving.payload import UnsupportedMediaError, read_table
from ml_orchestrator.serving.refusals import failure, refusal
from ml_orchestrator.serving.shortcut import MAX_SHORT_ROWS, find_shortcut
from ml_orchestrator.serving.signature import MAX_ROWS
from ml_orchestrator.serving.table import Table, concatenated, to_model_frame
from ml_orchestrator.serving.unseen import unseen_notices

__all__ = ["Answering", "ThreadEngine"]

MAX_BATCH = 64
CLOSE_S = 10.0
MAX_CAUSE = 300
_log = logging.getLogger(__name__)


class Answering:
    """Answers batches of requests with one model. Not thread-safe.

    Args of the constructor:
        model: The model.
        examples: Requests it was made for; a shortcut must agree with the model on them.
    """

    def __init__(self, model: LoadedModel, examples: Sequence[Request] = ()) -> None:
        self._model = model
        self._index = pd.Index([column.name for column in model.columns])
        read = [self._read(request) for request in examples]
        tables = [table for table in read if isinstance(table, Table)]
        self._shortcut = find_shortcut(model, tables)
        self._is_alone = reads_other_rows(model.estimator)

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return one outcome per request, in their order."""
        read = [self._read(request) for request in requests]
        outcomes: list[Outcome | None] = [x if isinstance(x, Outcome) else None for x in read]
        groups: dict[tuple[str, ...], list[int]] = {}
        for index, table in enumerate(read):
            if isinstance(table, Table) and requests[index].asks == "chances":
                outcomes[index] = self._chances(table)
            elif isinstance(table, Table):
                own = (str(index),) if self._is_alone else ()
                groups.setdefault((*own, *table.layout), []).append(index)
        for group in groups.values():
            tables = [table for i in group if isinstance(table := read[i], Table)]
            for index, outcome in zip(group, self._predicted(tables), strict=True):
                outcomes[index] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def _read(self, request: Request) -> Table | Outcome:
        try:
            return read_table(request, self._model.columns)
        except UnsupportedMediaError as error:
            return refusal(415, str(error))
        except InvalidInputError as error:
            return failure(error)

    def _chances(self, table: Table) -> Outcome:
        frame = to_model_frame(table, self._model.columns, self._index)
        return chances_outcome(self._model.estimator, frame)

    def _predicted(self, tables: Sequence[Table]) -> list[Outcome]:
        if len(tables) > 1 and sum(table.n_rows for table in tables) > MAX_ROWS:
            return [outcome for table in tables for outcome in self._predicted([table])]
        try:
            whole = concatenated(tables)
            said, notices = self._predict(whole), self._notices(whole)
        except Exception as error:  # noqa: BLE001 a model may raise anything, and its server must go on
            if len(tables) > 1:  # only whose rows made it fail shall hear of it
                return [outcome for table in tables for outcome in self._predicted([table])]
            if isinstance(
                error, InvalidInputError
            ):  # a step of ours refuses a value, such as a date
                return [failure(error)]
            _log.exception("The model failed")
            kind = type(error).__name__
            failed = _failed(f"The model could not answer ({kind}).")
            return [replace(failed, cause=f"{kind}: {str(error)[:MAX_CAUSE]}")]
        n_rows = sum(table.n_rows for table in tables)
        try:
            predictions = check_count(said, n_rows)
        except UnavailableError as error:
            return [_failed(str(error))] * len(tables)
        ends = np.cumsum([table.n_rows for table in tables])[:-1]
        declared = self._model.answers
        return [
            _outcome(part, declared, (*self._unseen(table), *notices))
            for table, part in zip(tables, np.split(predictions, ends), strict=True)
        ]

    def _predict(self, table: Table) -> Any:
        if self._shortcut is not None and table.n_rows <= MAX_SHORT_ROWS:
            return self._shortcut.predict(table)
        frame = to_model_frame(table, self._model.columns, self._index)
        return self._model.estimator.predict(frame)

    def _notices(self, table: Table) -> tuple[str, ...]:
        if not self._is_alone:
            return ()
        frame = to_model_frame(table, self._model.columns, self._index)
        return notices_on(self._model.estimator, frame)

    def _unseen(self, table: Table) -> tuple[str, ...]:
        categories = self._model.categories
        return unseen_notices(
            categories, (table.arrays[each.place].tolist() for each in categories)
        )


def _outcome(
    predictions: np.ndarray[Any, Any], declared: Kind | None, notices: Sequence[str]
) -> Outcome:
    try:
        values = answers_of(predictions, declared)
    except UnavailableError as error:
        return _failed(str(error))
    said = {"notices": notices} if notices else {}
    body = json.dumps({"predictions": values, **said}, allow_nan=False).encode()
    answers = single_answers(values)
    return Outcome(status=200, body=body, predictions=answers, n_rows=len(values))


def _failed(message: str) -> Outcome:
    return refusal(500, message)


@dataclass(frozen=True, slots=True)
class _Job:
    request: Request
    done: Done


class ThreadEngine:
    """``Engine`` of a model in this process."""

    def __init__(
        self,
        model: LoadedModel,
        *,
        name: str,
        examples: Sequence[Request] = (),
        max_batch: int = MAX_BATCH,
        close_s: float = CLOSE_S,
    ) -> None:
        self._close_s = close_s
        self._answering = Answering(model, examples)
        self._max_batch = max_batch
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, request: Request, done: Done) -> None:
        """Take a request; it is answered in its turn."""
        self._jobs.put(_Job(request, done))

    def fault(self) -> str | None:
        """Return None: a thread of ours answers as long as this process does."""
        return None

    def close(self) -> None:
        """Answer what was taken, then let the model go; one that hangs is left behind."""
        self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(self._close_s)
        if self._thread.is_alive():
            _log.warning("%s still computes; its thread is left behind", self._thread.name)

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, is_last = self._waiting(first)
            later = [job for job in jobs if job.request.asks == "chances"]
            for asked in ([job for job in jobs if job.request.asks == "answers"], later):
                outcomes = self._answering.answer([job.request for job in asked])
                for job, outcome in zip(asked, outcomes, strict=True):
                    job.done(outcome)
            if is_last:
                return

    def _waiting(self, first: _Job) -> tuple[list[_Job], bool]:
        """Return what waits by now, and whether it is the last."""
        jobs = [first]
        while len(jobs) < self._max_batch:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False
