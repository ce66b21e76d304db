"""Configurations of all families on a table, each scored and timed fold by fold, kept in files.

A file holds one line of JSON for each problem and seed, written when it is measured: a long
measurement runs in parts and can go on.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from _kept import Book
from _played_searches import Measured
from _real_tables import Problem

from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.job import Job, prepare
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.trainers import TRAINERS

__all__ = ["Key", "MeasuredPool", "PoolBook", "measured"]


class Key(NamedTuple):
    """What was measured: the problem, the seed, and how many were drawn of each family."""

    problem: str
    seed: int
    n_drawn: int
    n_folds: int


@dataclass(frozen=True, slots=True)
class MeasuredPool:
    """The configurations of each family, defaults first; ``load`` is the machine's at the end."""

    table: str
    pool: dict[str, list[Measured]]
    load: float
    done_at: str


class PoolBook(Book[Key, MeasuredPool]):
    """All pools so far."""

    def _read(self, line: str) -> tuple[Key, MeasuredPool]:
        entry = json.loads(line)
        key = Key(*(entry.pop(name) for name in Key._fields))
        pool = {
            name: [Measured(np.array(scores), np.array(seconds)) for scores, seconds in runs]
            for name, runs in entry.pop("pool").items()
        }
        return key, MeasuredPool(pool=pool, **entry)

    def _written(self, key: Key, found: MeasuredPool) -> str:
        pool = {
            name: [[run.scores.tolist(), run.seconds.tolist()] for run in runs]
            for name, runs in found.pool.items()
        }
        about = {"table": found.table, "load": found.load, "done_at": found.done_at}
        return json.dumps({**key._asdict(), **about, "pool": pool})


def measured(problem: Problem, key: Key) -> MeasuredPool:
    """Return each family's default and drawn configurations, scored on the same folds.

    Times are of the processor, so that other programs do not count. A configuration that fails is
    left out, and so is a family whose default does.
    """
    job = prepare(problem.spec(n_folds=key.n_folds, seed=key.seed), problem.dataset)
    rng = np.random.default_rng(key.seed)
    pool: dict[str, list[Measured]] = {}
    for name in job.trainers:
        trainer = TRAINERS[name]
        default = _run(job, {"trainer": name, **trainer.first_params})
        drawn = [trainer.suggest(_Drawing(rng), job.table.problem) for _ in range(key.n_drawn)]
        if default is None:
            continue
        runs = [_run(job, {"trainer": name, **point}) for point in drawn]
        pool[name] = [default, *(run for run in runs if run is not None)]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return MeasuredPool(problem.table, pool, os.getloadavg()[0], now)


class _Drawing:
    """A space that answers by chance."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        if log:
            return float(np.exp(self._rng.uniform(np.log(low), np.log(high))))
        return float(self._rng.uniform(low, high))

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return round(self.real(name, low, high, log=log))

    def choice(self, name: str, options: Sequence[str]) -> str:
        return str(self._rng.choice(list(options)))


def _run(job: Job, params: Params) -> Measured | None:
    sign = 1.0 if job.table.metric.higher_is_better else -1.0
    scores, seconds = [], []
    for fit_rows, score_rows in job.split.folds:
        began_at = time.process_time()
        try:
            model = fit(job.build(params), job.table, fit_rows)
            given = predict(model, job.table.features.iloc[score_rows], job.table, score_rows)
        except (ArithmeticError, ValueError):
            return None
        seconds.append(time.process_time() - began_at)
        scores.append(sign * job.table.metric.compute(given))
    return Measured(np.array(scores), np.array(seconds)) if np.isfinite(scores).all() else None
