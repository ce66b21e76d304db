"""Decides which rules to apply, and learns from how that was judged."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.learning.evidence import Evidence, Judged, last_to_forget
from ml_orchestrator.learning.log import DecisionLog
from ml_orchestrator.learning.models import (
    VERDICTS,
    Candidate,
    Decision,
    Feedback,
    FeedbackKind,
    Option,
    PolicyName,
    Verdict,
)
from ml_orchestrator.learning.policies import POLICY_VERSION
from ml_orchestrator.learning.selection import Choice, as_context, select
from ml_orchestrator.storage.engine import Database, timestamp

__all__ = ["FLOOR", "Learner"]

FLOOR = 0.1
MOST_DECISIONS = 50_000
LONGEST_GROUP = 64


class Learner:
    """Selection with logged propensities, closed by feedback; thread- and process-safe.

    What was learned is derived from the log alone, so a killed process loses nothing; each call
    reads only the feedback that is new since the one before. Learning is from outcomes; metrics
    of tasks are kept for evaluation.

    Args:
        database: The state database.
        rng: Draws the choices.
        now: Returns the time.
        new_id: Returns an id nobody has used.
        most_kept: Decisions in the log at most.
    """

    def __init__(
        self,
        database: Database,
        *,
        rng: np.random.Generator | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: uuid4().hex,
        most_kept: int = MOST_DECISIONS,
    ) -> None:
        self.log = DecisionLog(database, most_kept=most_kept)
        self._rng = np.random.default_rng() if rng is None else rng
        self._now = now
        self._new_id = new_id
        self._lock = threading.Lock()
        self._revision = 0
        self._evidence: dict[int, Evidence] = {}

    def decide(
        self,
        context: Sequence[float],
        candidates: Sequence[Candidate],
        *,
        agent: str,
        policy: PolicyName = "thompson",
        floor: float = FLOOR,
        group: str = "",
    ) -> Decision:
        """Choose one of the candidates, and log the choice with the chance of each.

        Args:
            context: Numbers within 0 to 1, always of one length and order.
            candidates: Rules, or sets of rules; an empty set leaves the prompt as it is.
            agent: Who asks.
            policy: How to choose.
            floor: Share of choices that go to any candidate alike, 0 to 1.
            group: A kind of context, such as a domain, by which insights are told apart.

        Raises:
            InvalidInputError: an argument is out of range.
        """
        x = as_context(context)
        if len(group) > LONGEST_GROUP:
            raise InvalidInputError(
                f"A group's name has at most {LONGEST_GROUP} letters; found {len(group)}."
            )
        with self._lock:
            self._refresh()
            evidence = self._evidence.get(x.size) or Evidence(x.size)
            choice = select(x, candidates, evidence, policy=policy, floor=floor, rng=self._rng)
            n_judged = len(evidence)
        decision = self._decision(choice, policy=policy, floor=floor, n_judged=n_judged)
        self.log.add(decision, agent=agent, context=context, group=group)
        return decision

    def feedback(
        self,
        decision_id: str,
        *,
        agent: str,
        kind: FeedbackKind = "outcome",
        verdict: Verdict | None = None,
        reward: float | None = None,
    ) -> Feedback:
        """Judge a decision, once for each kind, at any later time.

        Args:
            decision_id: As it came with the decision.
            agent: Who judges.
            kind: What happened to the answer, or the metric of a task.
            verdict: Accepted, edited, retried or rejected: rewards of 1, 0.7, 0.2 and 0.
            reward: 0 to 1, instead of a verdict.

        Raises:
            InvalidInputError: neither or both of verdict and reward, or a reward out of range.
            NotFoundError: no decision has this id.
            ConflictError: it was judged otherwise before.
        """
        if (verdict is None) == (reward is None):
            raise InvalidInputError(
                "Feedback needs either a verdict (accepted, edited, retried, rejected) or a "
                "reward from 0 to 1, and not both."
            )
        earned = VERDICTS[verdict] if verdict is not None else reward
        if earned is None or not 0 <= earned <= 1:
            raise InvalidInputError(f"A reward must lie in 0..1; found {earned}.")
        now = timestamp(self._now())
        return self.log.judge(
            decision_id, kind, verdict=verdict, reward=float(earned), agent=agent, now=now
        )

    def describe(self) -> str:
        """Return how much is logged, in one line for a health report."""
        n_decisions, n_judged = self.log.count()
        return f"{n_decisions} decisions, {n_judged} judgements"

    def _refresh(self) -> None:
        """Take in the feedback that is new, and let go of what is old."""
        revision, rows = self.log.judged_since(self._revision, "outcome")
        by_length: dict[int, list[Judged]] = {}
        for row in rows:
            by_length.setdefault(len(row.context), []).append(row)
        for n_features, new in by_length.items():
            self._evidence.setdefault(n_features, Evidence(n_features)).add(new)
        for evidence in self._evidence.values():
            evidence.forget(last_to_forget(revision))
        self._revision = revision

    def _decision(
        self, choice: Choice, *, policy: PolicyName, floor: float, n_judged: int
    ) -> Decision:
        options = [
            Option(rules=key.split("+") if key else [], propensity=chance)
            for key, chance in zip(choice.keys, choice.chances, strict=True)
        ]
        return Decision(
            id=self._new_id(),
            chosen=options[choice.index].rules,
            propensity=options[choice.index].propensity,
            options=options,
            policy=policy,
            policy_version=POLICY_VERSION,
            floor=floor,
            n_judged=n_judged,
            decided_at=timestamp(self._now()),
        )
