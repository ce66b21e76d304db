"""Which rules a prompt gets, by what was learned from how earlier ones were judged."""

from collections.abc import Callable, Sequence

from ml_orchestrator.analysis.analyse import analyse
from ml_orchestrator.learning.learner import Learner
from ml_orchestrator.learning.models import Feedback, FeedbackKind, PolicyName, Verdict
from ml_orchestrator.optimization.improve import improve
from ml_orchestrator.optimization.models import Improvement
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.orchestration.prompt_selection import Selection

__all__ = ["PromptLearner", "rule_sets"]


class PromptLearner:
    """Chooses among the rules that would change a prompt, and takes what came of it.

    Args:
        learner: Opens the learner.
        policy: By which candidates are chosen.
    """

    def __init__(self, learner: Callable[[], Learner], *, policy: PolicyName = "thompson") -> None:
        self._learner = learner
        self._policy: PolicyName = policy

    def choices(self, prompt: str) -> list[list[str]]:
        """Return the sets of rules to choose from; none if no rule would change the prompt.

        Raises:
            InvalidInputError: the prompt is empty or too long.
        """
        return _choices_of(_with_all_rules(prompt, may_ask=False))

    def select(self, prompt: str, *, agent: str, may_ask: bool) -> Selection:
        """Return a prompt with the rules chosen for it, and the decision in the log.

        Contexts are told apart by the prompt's analysis, groups of insights by its domain.

        Raises:
            InvalidInputError: the prompt is empty or too long.
        """
        all_of_them = _with_all_rules(prompt, may_ask=may_ask)
        choices = _choices_of(all_of_them)
        if not choices:
            return Selection(decision=None, improvement=all_of_them)
        analysis = analyse(prompt)
        decision = self._learner().decide(
            list(analysis.context),
            choices,
            agent=agent,
            policy=self._policy,
            group=analysis.domain.name,
        )
        chosen = improve(prompt, decision.chosen, may_ask=may_ask)
        return Selection(decision=decision, improvement=chosen)

    def feedback(
        self,
        decision_id: str,
        *,
        agent: str,
        kind: FeedbackKind,
        verdict: Verdict | None,
        reward: float | None,
    ) -> Feedback:
        """Judge a decision; errors are those of `Learner.feedback`."""
        return self._learner().feedback(
            decision_id, agent=agent, kind=kind, verdict=verdict, reward=reward
        )


def _with_all_rules(prompt: str, *, may_ask: bool) -> Improvement:
    return improve(prompt, list(RULES), may_ask=may_ask, explains_idle=False)


def _choices_of(all_of_them: Improvement) -> list[list[str]]:
    fitting = [applied.rule for applied in all_of_them.applied]
    return rule_sets(fitting) if fitting else []


def rule_sets(fitting: Sequence[str]) -> list[list[str]]:
    """Return the sets to choose from: all, none, each rule alone, and all but each.

    Among them every rule is used and left out beside the same others: beside none and beside all
    of them. Decisions between such two sets are what tells its effect.

    >>> rule_sets(["a", "b"])
    [['a', 'b'], [], ['a'], ['b']]
    """
    singles = [[rule] for rule in fitting]
    without = [[other for other in fitting if other != rule] for rule in fitting]
    sets: list[list[str]] = []
    for rules in [list(fitting), [], *singles, *without]:
        if sorted(rules) not in [sorted(known) for known in sets]:
            sets.append(rules)
    return sets
