"""L0: the gain of the rubric's score on the caller's prompts."""

from collections.abc import Mapping, Sequence

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.paired_gain import paired_gain
from ml_orchestrator.optimization.copying import copied_passage, estimated_tokens
from ml_orchestrator.optimization.search.applying import RuleApplier
from ml_orchestrator.optimization.search.evidence import Gain, parted
from ml_orchestrator.optimization.search.models import Means, RulePlan

__all__ = ["Costs", "RubricEvidence"]


class Costs:
    """What rule sets cost on some prompts: tokens, time, marks left open."""

    def __init__(self, prompts: Sequence[str], applier: RuleApplier) -> None:
        self._prompts = list(prompts)
        self._applier = applier

    def tokens_added(self, plan: RulePlan) -> float:
        """Return the mean of tokens added to a prompt."""
        before = sum(estimated_tokens(prompt) for prompt in self._prompts)
        after = sum(self._applier.apply(prompt, plan).tokens for prompt in self._prompts)
        return (after - before) / len(self._prompts)

    def latency_ms(self, plan: RulePlan) -> float:
        """Return the mean time that the rules take for a prompt, estimated from what they read."""
        taken = sum(self._applier.apply(prompt, plan).latency_ms for prompt in self._prompts)
        return taken / len(self._prompts)

    def risk(self, plan: RulePlan) -> float:
        """Return the share of prompts that are left with marks, or held a rule back."""
        risky = sum(self._applier.apply(prompt, plan).is_risky for prompt in self._prompts)
        return risky / len(self._prompts)


class RubricEvidence:
    """Prompts, some to search on and some held out; any rule set can be tried on them.

    Args:
        prompts: Not empty, all different; at least 12.
        baseline: What gains are over.
        seed: Of the split.

    Raises:
        InvalidInputError: too few prompts, an empty one, or one twice.
    """

    refused: Mapping[str, str] = {}

    def __init__(self, prompts: Sequence[str], baseline: RulePlan, *, seed: int) -> None:
        if len(set(prompts)) < len(prompts) or not all(prompt.strip() for prompt in prompts):
            raise InvalidInputError(
                "Prompts must be different from each other and not empty: the same prompt on both "
                "sides of the split would confirm itself."
            )
        search, held_out = parted(len(prompts), seed=seed, what="prompts")
        self._search = [prompts[place] for place in search]
        self._held_out = [prompts[place] for place in held_out]
        self._baseline = baseline
        self._seed = seed
        self._applier = RuleApplier()
        self._costs = Costs(self._search, self._applier)
        self.n_search, self.n_held_out = len(search), len(held_out)

    @property
    def plans(self) -> None:
        """Any rule set can be tried."""
        return

    def look(self, plan: RulePlan) -> Means:
        """Apply the rules to every prompt of the search."""
        gains = self._gains(self._search, plan)
        return Means(
            effect=sum(gains) / len(gains),
            tokens_added=self._costs.tokens_added(plan),
            risk=self._costs.risk(plan),
            latency_ms=self._costs.latency_ms(plan),
        )

    def confirm(self, plan: RulePlan, *, alpha: float) -> Gain:
        """Apply the rules to every held-out prompt, pair by pair with the baseline."""
        found = paired_gain(self._gains(self._held_out, plan), alpha=alpha, seed=self._seed)
        return Gain(found.n, found.mean, found.low, found.high, found.p_value)

    def milliseconds(self, plan: RulePlan) -> float:
        """Return the mean time of the rules on a held-out prompt."""
        return self._applier.milliseconds(self._held_out, plan)

    def copied(self, plan: RulePlan) -> str | None:
        """Return words of the search's prompts that the rules put into held-out ones, if any."""
        for prompt in self._held_out:
            text = self._applier.apply(prompt, plan).text
            if found := copied_passage(text, self._search, allowed=prompt):
                return found
        return None

    def _gains(self, prompts: Sequence[str], plan: RulePlan) -> list[float]:
        apply = self._applier.apply
        return [apply(p, plan).score - apply(p, self._baseline).score for p in prompts]
