"""A prompt made better by rules, with what the given one names, is about and lacks."""

from collections.abc import Sequence
from typing import Protocol

from ml_orchestrator.analysis.analyse import analyse
from ml_orchestrator.optimization.improve import improve
from ml_orchestrator.orchestration.improved_prompt import ImprovedPrompt

__all__ = ["PromptImprover", "improve_and_analyse"]


class PromptImprover(Protocol):
    """Makes a prompt better and analyses it; ``improve_and_analyse`` is one."""

    def __call__(
        self,
        prompt: str,
        rules: Sequence[str] | None = None,
        *,
        max_rules: int | None = None,
        max_added_words: int | None = None,
        may_ask: bool = True,
    ) -> ImprovedPrompt:
        """Return the better prompt, what was done and the analysis of the given one."""
        ...


def improve_and_analyse(
    prompt: str,
    rules: Sequence[str] | None = None,
    *,
    max_rules: int | None = None,
    max_added_words: int | None = None,
    may_ask: bool = True,
) -> ImprovedPrompt:
    """Return the better prompt and the analysis of the given one; errors are ``improve``'s."""
    improved = improve(
        prompt, rules, max_rules=max_rules, max_added_words=max_added_words, may_ask=may_ask
    )
    analysis = analyse(prompt)
    present = {name: value for name, value in analysis.features.items() if value}
    return ImprovedPrompt(
        **dict(improved), analysis=analysis.model_copy(update={"features": present})
    )
