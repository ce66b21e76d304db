"""Learning which prompt rules help: decisions, feedback, policies judged by what was logged."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from ml_orchestrator.health.options import InlineTable
from ml_orchestrator.learning.models import Feedback, FeedbackKind, Verdict
from ml_orchestrator.learning.policy_models import PolicyColumns, PolicyReport
from ml_orchestrator.orchestration.prompt_selection import Selection
from ml_orchestrator.telemetry.spans import traced
from ml_orchestrator.text import clean

if TYPE_CHECKING:  # heavy: opened by the door
    from ml_orchestrator.orchestration.policy_checks import PolicyChecker
    from ml_orchestrator.orchestration.prompt_learning import PromptLearner

__all__ = ["LearningService"]


@traced
class LearningService:
    """Chooses rules with logged chances, takes verdicts, and says what follows from both."""

    def __init__(
        self, learner: "Callable[[], PromptLearner]", *, checker: "Callable[[], PolicyChecker]"
    ) -> None:
        self._learner = learner
        self._checker = checker

    async def select(self, prompt: str, *, agent: str, may_ask: bool) -> Selection:
        """Choose rules for a prompt; hidden characters are spelled out first, and flagged."""
        seen = clean(prompt)
        chosen = await run_sync(
            lambda: self._learner().select(seen.text, agent=agent, may_ask=may_ask)
        )
        flagged = chosen.improvement.model_copy(update={"flags": seen.flags})
        return chosen.model_copy(update={"improvement": flagged})

    async def feedback(
        self,
        decision_id: str,
        *,
        agent: str,
        kind: FeedbackKind,
        verdict: Verdict | None,
        reward: float | None,
    ) -> Feedback:
        """Judge a decision, once for each kind."""
        return await run_sync(
            lambda: self._learner().feedback(
                decision_id, agent=agent, kind=kind, verdict=verdict, reward=reward
            )
        )

    async def evaluate_log(self, target: str, kind: FeedbackKind) -> PolicyReport:
        """Say what a policy would have earned in the decisions of the log."""
        return await run_sync(lambda: self._checker().on_log(target, kind))

    async def evaluate_table(
        self, table: str | InlineTable, columns: PolicyColumns
    ) -> PolicyReport:
        """Say what a policy would have earned in the rows of a table."""
        return await run_sync(lambda: self._checker().on_table(table, columns))
