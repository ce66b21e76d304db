"""The door to reflective sessions: begin one, look at it, hand something in."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.optimization.reflective.models import Answer, Brief, Check, Example, Proposal
from ml_orchestrator.optimization.reflective.session import Session, new_session
from ml_orchestrator.optimization.reflective.store import SessionStore
from ml_orchestrator.optimization.reflective.submitting import take_answers, take_proposals
from ml_orchestrator.optimization.reflective.telling import brief_of, report_of
from ml_orchestrator.optimization.reflective.turn import turn_of

__all__ = ["ReflectiveDesk"]


class ReflectiveDesk:
    """Sessions of one data directory. Each call leaves a whole record; any process may go on."""

    def __init__(
        self,
        home: Path,
        *,
        new_id: Callable[[], str] = lambda: f"gp-{uuid.uuid4().hex[:12]}",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = SessionStore(home)
        self._new_id = new_id
        self._now = now

    def begin(
        self,
        prompt: str,
        examples: Sequence[Example],
        *,
        agent: str,
        checks: Sequence[Check] = (),
        budget: int,
        minibatch: int = 3,
        max_added_tokens: int = 200,
        seed: int = 0,
    ) -> Brief:
        """Write down a new session and return its first brief.

        Raises:
            InvalidInputError: as by ``new_session``.
        """
        session = new_session(
            id_=self._new_id(),
            agent=agent,
            at=self._now().isoformat(timespec="seconds"),
            prompt=prompt,
            examples=examples,
            checks=checks,
            budget=budget,
            minibatch=minibatch,
            max_added_tokens=max_added_tokens,
            seed=seed,
        )
        self._store.add(session)
        return brief_of(session)

    def n_sessions(self) -> int:
        """Return how many sessions are kept."""
        return self._store.n_kept()

    def brief(self, id_: str) -> Brief:
        """Return where a session stands."""
        return brief_of(self._store.read(id_))

    def submit(
        self,
        id_: str,
        *,
        answers: Sequence[Answer] = (),
        proposals: Sequence[Proposal] = (),
        finish: bool = False,
    ) -> Brief:
        """Take what was handed in, and with ``finish`` go on to the test; return what is next.

        Raises:
            InvalidInputError: it is not what is waited for; nothing was written.
            ConflictError: it contradicts what was handed in before; nothing was written.
        """
        with self._store.changing(id_) as session:
            if answers:
                take_answers(session, answers)
            if proposals:
                take_proposals(session, proposals)
            if finish:
                _close(session)
            if session.is_closing and session.report is None and not turn_of(session).lacks:
                session.report = report_of(session)
            return brief_of(session)

    def note_registered(self, id_: str, place: str) -> Brief:
        """Write down where the best prompt was registered."""
        with self._store.changing(id_) as session:
            session.registered = place
            return brief_of(session)


def _close(session: Session) -> None:
    if turn_of(session).stage == "baseline":
        raise InvalidInputError(
            "The prompt as given was not run yet, so there is nothing to compare. Hand in what "
            "'needs' lists first."
        )
    session.is_closing = True
