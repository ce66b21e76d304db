"""The log of decisions and their feedback, in the state database."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from ml_orchestrator.errors import ConflictError, NotFoundError
from ml_orchestrator.learning.evidence import Judged, last_to_forget
from ml_orchestrator.learning.models import LEVELS, Decision, Feedback, FeedbackKind, Option
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import learning_decisions as decisions
from ml_orchestrator.storage.schema import learning_feedback as judged

__all__ = ["DecisionLog", "LoggedDecision"]

TIDY_EVERY = 50  # decisions


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """A decision as the log has it, with its reward of one kind, if it was judged."""

    keys: tuple[str, ...]
    propensities: tuple[float, ...]
    chosen: str
    context: tuple[float, ...]
    group: str
    reward: float | None


class DecisionLog:
    """Decisions and feedback; thread- and process-safe. A call that returned is durable.

    Args:
        database: The state database.
        most_kept: Decisions beyond so many go, the oldest first, their feedback with them.
    """

    def __init__(self, database: Database, *, most_kept: int) -> None:
        self._database = database
        self._most_kept = most_kept

    def add(self, decision: Decision, *, agent: str, context: Sequence[float], group: str) -> None:
        """Write a decision down."""
        row = {
            "id": decision.id,
            "agent": agent,
            "grouped_as": group,
            "context": json.dumps([float(value) for value in context]),
            "options": json.dumps([[o.rules, o.propensity] for o in decision.options]),
            "chosen": "+".join(decision.chosen),
            "propensity": decision.propensity,
            "policy": decision.policy,
            "policy_version": decision.policy_version,
            "floor": decision.floor,
            "n_judged": decision.n_judged,
            "decided_at": decision.decided_at,
        }
        self._database.write(lambda connection: self._add(connection, row))

    def find(self, decision_id: str) -> Decision:
        """Return one decision.

        Raises:
            NotFoundError: no decision has this id.
        """
        return _decision(self._database.read(lambda c: self._row(c, decision_id)))

    def judge(
        self,
        decision_id: str,
        kind: FeedbackKind,
        *,
        verdict: str | None,
        reward: float,
        agent: str,
        now: str,
    ) -> Feedback:
        """Write feedback down once; the same again changes nothing.

        Raises:
            NotFoundError: no decision has this id.
            ConflictError: the decision was judged otherwise before.
        """

        def work(connection: Connection) -> Feedback:
            decision = self._row(connection, decision_id)
            match = (judged.c.decision_seq == decision.seq, judged.c.kind == kind)
            row = connection.execute(select(judged).where(*match)).first()
            if is_repeat := row is not None:
                _refuse_other(decision_id, row, verdict, reward)
            else:
                values = {"verdict": verdict, "reward": reward, "agent": agent, "given_at": now}
                key = {"decision_seq": decision.seq, "kind": kind}
                connection.execute(insert(judged).values(**key, **values))
                row = connection.execute(select(judged).where(*match)).one()
            return _feedback(decision, row, is_repeat=is_repeat)

        return self._database.write(work)

    def judged_since(self, seq: int, kind: FeedbackKind) -> tuple[int, Sequence[Judged]]:
        """Return the last number of feedback, and what was judged after ``seq``, oldest first.

        Feedback is numbered in the order of its commits, so nothing comes in between later. What
        is to be forgotten anyway is left out.
        """

        def work(connection: Connection) -> tuple[int, Sequence[Any]]:
            last: int = connection.scalar(select(func.max(judged.c.seq))) or 0
            if last <= seq:
                return last, ()
            query = (
                select(
                    judged.c.seq,
                    judged.c.reward,
                    decisions.c.context,
                    decisions.c.chosen,
                    decisions.c.propensity,
                )
                .join(decisions, decisions.c.seq == judged.c.decision_seq)
                .where(judged.c.seq > max(seq, last_to_forget(last)), judged.c.kind == kind)
                .order_by(judged.c.seq)
            )
            return last, connection.execute(query).all()

        last, rows = self._database.read(work)
        return last, [
            Judged(r.seq, tuple(json.loads(r.context)), r.chosen, r.reward, r.propensity)
            for r in rows
        ]

    def newest(self, kind: FeedbackKind, *, n: int) -> Sequence[LoggedDecision]:
        """Return the newest decisions, oldest first, each with its reward of one kind or none."""
        query = (
            select(decisions, judged.c.reward)
            .outerjoin(judged, (judged.c.decision_seq == decisions.c.seq) & (judged.c.kind == kind))
            .order_by(decisions.c.seq.desc())
            .limit(n)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [_logged(row) for row in reversed(rows)]

    def count(self) -> tuple[int, int]:
        """Return the numbers of decisions and of feedback."""

        def work(connection: Connection) -> tuple[int, int]:
            counts = (select(func.count()).select_from(table) for table in (decisions, judged))
            n_decisions, n_judged = (connection.scalar(query) or 0 for query in counts)
            return n_decisions, n_judged

        return self._database.read(work)

    def _add(self, connection: Connection, row: dict[str, Any]) -> None:
        seq = connection.execute(
            insert(decisions).values(row).returning(decisions.c.seq)
        ).scalar_one()
        if seq % TIDY_EVERY == 0:
            self._tidy(connection)

    def _tidy(self, connection: Connection) -> None:
        """Remove the oldest decisions beyond the limit, and their feedback.

        The decision judged last stays: SQLite numbers a row after the highest there is, and a
        number given twice would be passed over by whoever has read up to it.
        """
        newest = select(decisions.c.seq).order_by(decisions.c.seq.desc())
        last_to_go = connection.scalar(newest.offset(self._most_kept).limit(1))
        if last_to_go is None:
            return
        judged_last = select(judged.c.decision_seq).order_by(judged.c.seq.desc()).limit(1)
        stays = connection.scalar(judged_last) or 0  # decisions are numbered from 1
        for table, number in ((judged, judged.c.decision_seq), (decisions, decisions.c.seq)):
            connection.execute(delete(table).where(number <= last_to_go, number != stays))

    def _row(self, connection: Connection, decision_id: str) -> Row[Any]:
        query = select(decisions).where(decisions.c.id == decision_id)
        row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(
                f"No decision {decision_id[:80]!r}. Give the id exactly as it was returned with "
                f"the decision; the newest {self._most_kept:,} are kept, so an older one is gone."
            )
        return row


def _refuse_other(decision_id: str, row: Row[Any], verdict: str | None, reward: float) -> None:
    if row.verdict != verdict or row.reward != reward:
        was = row.verdict or f"reward {row.reward:g}"
        raise ConflictError(
            f"Decision {decision_id!r} has {row.kind} feedback already: {was}, by {row.agent} at "
            f"{row.given_at}. The first counts and cannot be changed; a metric of the task is "
            "given with another kind."
        )


def _options(row: Row[Any]) -> list[Option]:
    return [Option(rules=rules, propensity=p) for rules, p in json.loads(row.options)]


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        id=row.id,
        chosen=_rules(row.chosen),
        propensity=row.propensity,
        options=_options(row),
        policy=row.policy,
        policy_version=row.policy_version,
        floor=row.floor,
        n_judged=row.n_judged,
        decided_at=row.decided_at,
    )


def _feedback(decision: Row[Any], row: Row[Any], *, is_repeat: bool) -> Feedback:
    kind: FeedbackKind = row.kind
    return Feedback(
        decision_id=decision.id,
        kind=kind,
        verdict=row.verdict,
        reward=row.reward,
        rules=_rules(decision.chosen),
        level=LEVELS[kind],
        given_by=row.agent,
        given_at=row.given_at,
        is_repeat=is_repeat,
    )


def _logged(row: Row[Any]) -> LoggedDecision:
    options = json.loads(row.options)
    return LoggedDecision(
        keys=tuple("+".join(rules) for rules, _ in options),
        propensities=tuple(float(p) for _, p in options),
        chosen=row.chosen,
        context=tuple(json.loads(row.context)),
        group=row.grouped_as,
        reward=row.reward,
    )


def _rules(key: str) -> list[str]:
    return key.split("+") if key else []
