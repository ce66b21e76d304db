"""Tools that make prompts better and learn which rules help."""

from typing import Annotated, TypeAlias

from pydantic import Field

from ml_orchestrator.faults import formed
from ml_orchestrator.orchestration.improved_prompt import ImprovedPrompt
from ml_orchestrator.tools._arguments import RULE_PATTERN, RULE_WORDS
from ml_orchestrator.tools._services import Prompts
from ml_orchestrator.tools._tool import tool

__all__ = ["prompt_improve"]

MAX_PROMPT_CHARACTERS = 20_000
RuleName: TypeAlias = Annotated[str, formed(f">?{RULE_PATTERN}", RULE_WORDS)]


@tool(title="Improve a prompt", reads_only=True)
async def prompt_improve(
    prompt: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_PROMPT_CHARACTERS,
            description="The prompt; {placeholders} for long data.",
        ),
    ],
    prompts: Prompts,
    rules: Annotated[
        list[RuleName] | None, Field(min_length=1, max_length=50, description="Only these; >first.")
    ] = None,
    max_rules: Annotated[int | None, Field(ge=0, le=50, description="At most.")] = None,
    max_added_words: Annotated[
        int | None, Field(ge=0, le=5_000, description="May grow so far.")
    ] = None,
    may_ask: Annotated[
        bool, Field(description="Mark [FILL IN: ...] what only the author knows.")
    ] = True,
) -> ImprovedPrompt:
    """Analyse a prompt; rewrite a bare one, or by named rules; ask about others.

    Scores say how far a rubric is met (L0), not that answers are better.
    """
    return await prompts.improve(
        prompt, rules, max_rules=max_rules, max_added_words=max_added_words, may_ask=may_ask
    )
