"""Whose turn it is in a session: what follows from its records, for the caller to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ml_orchestrator.optimization._gepa import Pool, PoolMember, minibatch_of_round
from ml_orchestrator.optimization.reflective.models import Stage
from ml_orchestrator.optimization.reflective.session import Candidate, Session

__all__ = ["Turn", "pool_of", "turn_of"]


@dataclass(frozen=True)
class Turn:
    """What is next: outputs that lack, or a parent to better on a minibatch.

    ``lacks`` pairs candidates with the examples they have yet to be run on.
    """

    session: Session
    stage: Stage
    lacks: tuple[tuple[Candidate, Sequence[str]], ...] = ()
    parent: Candidate | None = None
    minibatch: Sequence[str] = ()
    round: int = 0

    @cached_property
    def most_proposals(self) -> int:
        """How many candidates the rest of the budget can see through a full validation."""
        each = len(self.minibatch) + len(self.session.ids("validation"))
        return (self.session.budget - self.session.n_scored) // each


def pool_of(session: Session) -> Pool | None:
    """Return the accepted candidates; None before the first prompt was run."""
    ids = session.ids("validation")
    members = session.pool
    if members[0].lacks(ids):
        return None
    places = {candidate.id: place for place, candidate in enumerate(members)}
    return Pool(
        [PoolMember(c.text, c.parent and places[c.parent], c.scores(ids)) for c in members]  # type: ignore[arg-type]  # of pool members alone
    )


def turn_of(session: Session) -> Turn:
    """Return what is next; it depends on the session alone."""
    if session.report is not None:
        return Turn(session, "finished")
    pool = pool_of(session)
    first, validation = session.candidates[0], session.ids("validation")
    if pool is None:
        ids = [*validation, *_minibatch(session, session.round)]
        return Turn(session, "baseline", ((first, first.lacks(ids)),))
    if session.is_closing:
        test = session.ids("test")
        pair = {c.id: c for c in (first, session.pool[pool.best])}.values()
        return Turn(session, "test", tuple((c, c.lacks(test)) for c in pair if c.lacks(test)))
    if waiting := [c for c in session.candidates if c.state == "waiting"]:
        return Turn(session, "validate", tuple((c, c.lacks(validation)) for c in waiting))
    return _round(session, pool)


def _round(session: Session, pool: Pool) -> Turn:
    """Return the next round in which its parent can still be bettered."""
    n_train = len(session.ids("train"))
    for number in range(session.round, session.round + n_train):
        parent = session.pool[pool.parent(seed=session.seed, round_=number)]
        batch = _minibatch(session, number)
        lacks = parent.lacks(batch)
        turn = Turn(
            session, "propose", parent=parent, minibatch=batch, round=number,
            lacks=((parent, lacks),) if lacks else (),
        )  # fmt: skip
        if session.n_scored + len(lacks) + len(batch) + len(session.ids("validation")) > (
            session.budget
        ):
            return Turn(session, "exhausted")
        if lacks:
            return Turn(session, "measure", turn.lacks)
        if min(parent.scores(batch).values()) < 1:
            return turn
    return Turn(session, "exhausted")


def _minibatch(session: Session, number: int) -> tuple[str, ...]:
    return minibatch_of_round(
        session.ids("train"), size=session.minibatch, seed=session.seed, round_=number
    )
