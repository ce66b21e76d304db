"""What came of predictions: labels that arrived later, as losses."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from sqlalchemy import Connection, Select, insert, select

from ml_orchestrator.records import Record
from ml_orchestrator.serving.models import Prediction
from ml_orchestrator.serving.rollout.losses import MOST_PAIRS, Losses
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import deployment_outcomes as table

__all__ = ["Pairing", "Reported", "RequestOutcome", "SqlOutcomes"]

Pairing = Literal["request", "order", "before"]


class RequestOutcome(Record):
    """The truth about one prediction.

    For classes the loss is 0 or 1. For numbers give ``scale``: the loss is the absolute error
    over it, at most 1.
    """

    request_id: Annotated[str, Field(min_length=1, max_length=128)]
    version: Annotated[int, Field(ge=1)]
    prediction: Prediction
    truth: Prediction
    scale: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None

    @model_validator(mode="after")
    def _has_a_scale(self) -> "RequestOutcome":
        if isinstance(self.truth, float) and self.scale is None:
            raise ValueError("a number needs 'scale', the error that counts as a whole loss")
        return self

    @property
    def loss(self) -> float:
        """The loss, 0 to 1."""
        if self.scale is None:
            return float(str(self.prediction) != str(self.truth))
        return min(abs(float(self.prediction) - float(self.truth)) / self.scale, 1.0)


class Reported(Record):
    """How many outcomes were new, and how many were known."""

    model: str
    n_new: int
    n_known: int


class SqlOutcomes:
    """Outcomes in the state database, in the order in which they arrived."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def report(self, model: str, outcomes: Sequence[RequestOutcome]) -> Reported:
        """Store outcomes; one request of one version counts once, whatever comes later."""

        def work(connection: Connection) -> int:
            return sum(self._store(connection, model, outcome) for outcome in outcomes)

        n_new = self._database.write(work)
        return Reported(model=model, n_new=n_new, n_known=len(outcomes) - n_new)

    def losses(
        self,
        model: str,
        *,
        old: int | None,
        new: int,
        pairing: Pairing,
        since: str,
    ) -> Losses:
        """Return the losses of two versions as pairs that later reports only add to.

        Args:
            model: Registered name.
            old: The version that answered before; None if there was none.
            new: The version it is compared with.
            pairing: "request" by request id; "order" as both arrived since then; "before" has the
                old version's latest from before ``since`` first: a switch ends its requests.
            since: Timestamp; what was reported of the new version before it does not count.
        """
        losses_new, losses_old = self._since(model, new, since), self._since(model, old, since)
        if pairing == "before":
            losses_old = {**self._before(model, old, since), **losses_old}
        if pairing == "request":
            shared = [request for request in losses_new if request in losses_old]
            return Losses([losses_old[r] for r in shared], [losses_new[r] for r in shared])
        return Losses(list(losses_old.values()), list(losses_new.values()))

    def _since(self, model: str, version: int | None, since: str) -> dict[str, float]:
        is_later = table.c.reported_at >= since
        return self._read(_of(model, version).where(is_later).order_by(table.c.seq))

    def _before(self, model: str, version: int | None, since: str) -> dict[str, float]:
        is_earlier = table.c.reported_at < since
        return self._read(_of(model, version).where(is_earlier).order_by(table.c.seq.desc()))

    def _read(self, query: Select[Any]) -> dict[str, float]:
        limited = query.limit(MOST_PAIRS)
        rows = self._database.read(lambda connection: connection.execute(limited).all())
        return {row.request_id: row.loss for row in rows}

    def _store(self, connection: Connection, model: str, outcome: RequestOutcome) -> bool:
        key = (
            table.c.model == model,
            table.c.version == outcome.version,
            table.c.request_id == outcome.request_id,
        )
        if connection.execute(select(table.c.seq).where(*key)).first():
            return False
        connection.execute(
            insert(table).values(
                model=model,
                version=outcome.version,
                request_id=outcome.request_id,
                loss=outcome.loss,
                reported_at=timestamp(self._now()),
            )
        )
        return True


def _of(model: str, version: int | None) -> Select[Any]:
    is_asked_for = (table.c.model == model, table.c.version == version)
    return select(table.c.request_id, table.c.loss).where(*is_asked_for)
