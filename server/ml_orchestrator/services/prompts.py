"""Prompts: made better by rules, and what was learned about the rules."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from ml_orchestrator.telemetry.spans import traced
from ml_orchestrator.text import clean

if TYPE_CHECKING:  # opened by the door
    from ml_orchestrator.optimization.reflective.models import Brief, HandIn, NewSession
    from ml_orchestrator.orchestration.improved_prompt import ImprovedPrompt
    from ml_orchestrator.orchestration.prompt_improvement import PromptImprover
    from ml_orchestrator.orchestration.reflection import Reflection

__all__ = ["PromptService"]


@traced
class PromptService:
    """Rewrites prompts by rules. A prompt is data here: nothing in it is followed."""

    def __init__(
        self, *, improve: "Callable[[], PromptImprover]", reflection: "Callable[[], Reflection]"
    ) -> None:
        self._improve = improve
        self._reflection = reflection

    async def improve(
        self,
        prompt: str,
        rules: Sequence[str] | None,
        *,
        max_rules: int | None,
        max_added_words: int | None,
        may_ask: bool,
    ) -> "ImprovedPrompt":
        """Apply the rules that fit, and analyse; hidden characters are spelled out and flagged."""
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

    async def begin_session(self, new: "NewSession", *, agent: str) -> "Brief":
        """Begin a reflective session and return what is to be done first."""
        return await run_sync(lambda: self._reflection().begin(new, agent=agent))

    async def brief(self, session: str) -> "Brief":
        """Return where a reflective session stands and what is next."""
        return await run_sync(lambda: self._reflection().brief(session))

    async def submit_by_endpoint(self, session: str) -> "Brief":
        """Let the endpoint of the settings take one turn of a reflective session."""
        return await run_sync(lambda: self._reflection().submit_by_endpoint(session))

    async def submit(self, session: str, given: "HandIn", *, agent: str) -> "Brief":
        """Take what was handed in to a reflective session and return what is next."""
        return await run_sync(lambda: self._reflection().submit(session, given, agent=agent))
