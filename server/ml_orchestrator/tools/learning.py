"""Tools that learn which prompt rules help."""

from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

from ml_orchestrator.learning.models import Feedback, FeedbackKind, Verdict
from ml_orchestrator.learning.policy_models import PolicyReport, named_columns
from ml_orchestrator.orchestration.prompt_selection import Selection
from ml_orchestrator.tools._arguments import Agent, Source
from ml_orchestrator.tools._services import Learning
from ml_orchestrator.tools._tool import tool

__all__ = ["policy_evaluate", "prompt_feedback", "prompt_select"]

LoggedColumns: TypeAlias = Annotated[
    dict[str, list[float | str | None]],
    Field(min_length=3, max_length=200),
    WithJsonSchema({"type": "object"}),
]
Column: TypeAlias = Annotated[str, Field(max_length=200)]


@tool(title="Select prompt rules")
async def prompt_select(
    agent: Agent,
    prompt: Annotated[str, Field(min_length=1, max_length=20_000, description="The prompt.")],
    learning: Learning,
    may_ask: Annotated[bool, Field(description="As of prompt_improve.")] = True,
) -> Selection:
    """Rewrite a prompt as prompt_improve does, by rules learned to help.

    Some choices explore. Judge each with prompt_feedback.
    """
    return await learning.select(prompt, agent=agent, may_ask=may_ask)


@tool(title="Judge a prompt")
async def prompt_feedback(
    agent: Agent,
    decision_id: Annotated[
        str, Field(min_length=1, max_length=64, description="decision.id of prompt_select.")
    ],
    learning: Learning,
    verdict: Annotated[
        Verdict | None, Field(description="Of the answer: rewards 1, 0.7, 0.2 and 0.")
    ] = None,
    reward: Annotated[float | None, Field(ge=0, le=1, description="Instead of a verdict.")] = None,
    kind: Annotated[
        FeedbackKind, Field(description="task: a metric, not learned from.")
    ] = "outcome",
) -> Feedback:
    """Say how well the prompt of a prompt_select did; once, as late as you like."""
    return await learning.feedback(
        decision_id, agent=agent, kind=kind, verdict=verdict, reward=reward
    )


@tool(title="Evaluate a policy", reads_only=True)
async def policy_evaluate(
    target: Annotated[
        str,
        Field(
            max_length=512,
            description="uniform, thompson, lin_ucb, RULE+RULE or none; of a table the column of "
            "its chance of the action taken.",
        ),
    ],
    learning: Learning,
    table: Annotated[
        Source | LoggedColumns | None, Field(description="Else the log of prompt_select.")
    ] = None,
    columns: Annotated[
        dict[str, Column],
        WithJsonSchema({"type": "object"}),
        Field(
            max_length=203,
            description="Of the table: reward, propensity, action, chance:ACTION (target's, all).",
        ),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    contexts: Annotated[
        list[Column], Field(max_length=200, description="Columns to model rewards by.")
    ] = [],  # noqa: B006 as above
    kind: Annotated[FeedbackKind, Field(description="Of feedback.")] = "outcome",
) -> PolicyReport:
    """Say what another policy would have earned by logged choices, unless they are too thin.

    IPS, SNIPS, doubly robust; of the log also which rules help (L1).
    """
    if table is None:
        return await learning.evaluate_log(target, kind)
    return await learning.evaluate_table(table, named_columns(target, columns, contexts))
