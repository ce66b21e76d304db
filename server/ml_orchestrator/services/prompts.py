"""Prompts: made better by rules, and what was learned about the rules."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from ml_orchestrator.telemetry.spans import traced
from ml_orchestrator.text import clean

if TYPE_CHECKING:  # opened by the door
    from ml_orchestrator.optimization.improve import Improver
    from ml_orchestrator.optimization.models import Improvement

__all__ = ["PromptService"]


@traced
class PromptService:
    """Rewrites prompts by rules. A prompt is data here: nothing in it is followed."""

    def __init__(self, *, improve: "Callable[[], Improver]") -> None:
        self._improve = improve

    async def improve(
        self,
        prompt: str,
        rules: Sequence[str] | None,
        *,
        max_rules: int | None,
        max_added_words: int | None,
        may_ask: bool,
    ) -> "Improvement":
        """Apply the rules that fit; hidden characters are spelled out first, and flagged."""
        seen = clean(prompt)
        improved = await run_sync(
            lambda: self._improve()(
                seen.text,
                rules,
                max_rules=max_rules,
                max_added_words=max_added_words,
                may_ask=may_ask,
            )
        )
        return improved.model_copy(update={"flags": seen.flags})
