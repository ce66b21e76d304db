"""What searches found on which data, so that later ones can begin there."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import search_experience as table

__all__ = ["ExperienceStore", "FamilyBest", "SearchFound"]

_log = logging.getLogger(__name__)
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
MOST_KEPT = 500  # of one task; the oldest make room


@dataclass(frozen=True, slots=True)
class FamilyBest:
    """The best configuration of one family of models."""

    trainer: str
    params: Mapping[str, int | float | str]


_BEST: TypeAdapter[list[FamilyBest]] = TypeAdapter(list[FamilyBest])


@dataclass(frozen=True, slots=True)
class SearchFound:
    """The best configurations of one finished search, and what kind of data it was for.

    ``leaders`` holds one of each family, best first, and at least one.
    """

    run_id: str
    agent: str
    task: str
    dataset_digest: str
    metric: str
    score: float
    n_trials: int
    meta_features: Mapping[str, float]
    leaders: Sequence[FamilyBest]


class ExperienceStore:
    """Searches in the state database; thread- and process-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, found: SearchFound, *, added: Callable[[Connection], object] = lambda _: None
    ) -> None:
        """Store what a search found; a run that is stored already changes nothing.

        ``added`` is called in the transaction that stores it.
        """

        def work(connection: Connection) -> None:
            if _add(connection, found):
                added(connection)

        self._database.write(work)

    def of_task(self, task: str) -> Sequence[SearchFound]:
        """Return the searches of one kind of problem, newest first."""
        query = select(table).where(table.c.task == task).order_by(table.c.seq.desc())
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [found for row in rows if (found := _read(row)) is not None]


def _add(connection: Connection, found: SearchFound) -> bool:
    """Store it, and say whether it was new."""
    if connection.execute(select(table.c.seq).where(table.c.run_id == found.run_id)).first():
        return False
    best = found.leaders[0]
    connection.execute(
        insert(table).values(
            run_id=found.run_id,
            agent=found.agent,
            task=found.task,
            dataset_digest=found.dataset_digest,
            metric=found.metric,
            score=repr(found.score),
            n_trials=found.n_trials,
            meta_features=json.dumps(dict(found.meta_features)),
            trainer=best.trainer,
            params=json.dumps(dict(best.params)),
            leaders=_BEST.dump_json(list(found.leaders)).decode(),
            created_at=timestamp(),
        )
    )
    last_to_go = connection.scalar(
        select(table.c.seq)
        .where(table.c.task == found.task)
        .order_by(table.c.seq.desc())
        .offset(MOST_KEPT)
        .limit(1)
    )
    if last_to_go is not None:
        connection.execute(
            delete(table).where(table.c.task == found.task, table.c.seq <= last_to_go)
        )
    return True


def _read(row: Any) -> SearchFound | None:
    """Return a stored search, or None, with a word in the log, if its row is damaged."""
    try:
        return SearchFound(
            run_id=row.run_id,
            agent=row.agent,
            task=row.task,
            dataset_digest=row.dataset_digest,
            metric=row.metric,
            score=float(row.score),
            n_trials=row.n_trials,
            meta_features=_OBJECT.validate_json(row.meta_features),
            leaders=_leaders(row),
        )
    except ValueError:
        _log.warning("What run %s found is damaged and passed over", row.run_id)
        return None


def _leaders(row: Any) -> Sequence[FamilyBest]:
    """Return them; of a search that an earlier release stored, the best alone."""
    if row.leaders is None:
        return [FamilyBest(row.trainer, _OBJECT.validate_json(row.params))]
    return _BEST.validate_json(row.leaders)
