"""Tools that learn which prompt rules help."""

from typing import Annotated, TypeAlias

from pydantic import Field

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.learning.models import Feedback, FeedbackKind, Verdict
from ml_orchestrator.learning.policy_models import PolicyColumns, PolicyReport
from ml_orchestrator.orchestration.prompt_selection import Selection
from ml_orchestrator.tools._arguments import Agent, Source
from ml_orchestrator.tools._services import Learning
from ml_orchestrator.tools._tool import tool

__all__ = ["policy_evaluate", "prompt_feedback", "prompt_select"]

LoggedColumns: TypeAlias = Annotated[
    dict[str, list[float | str | None]], Field(min_length=3, max_length=200)
]
Column: TypeAlias = Annotated[str, Field(max_length=200)]


@tool(title="Select prompt rules")
async def prompt_select(
    agent: Agent,
    prompt: Annotated[str, Field(min_length=1, max_length=20_000)],
    learning: Learning,
    may_ask: Annotated[bool, Field(description="As of prompt_improve.")] = True,
) -> Selection:
    """Rewrite a prompt as prompt_improve does, by rules chosen from what was learned so far.

    Some choices explore: that is how it learns. Judge decision.id with prompt_feedback.
    """
    return await learning.select(prompt, agent=agent, may_ask=may_ask)


@tool(title="Judge a prompt")
async def prompt_feedback(
    agent: Agent,
    decision_id: Annotated[str, Field(min_length=1, max_length=64)],
    learning: Learning,
    verdict: Annotated[
        Verdict | None, Field(description="Of the answer: rewards 1, 0.7, 0.2 and 0.")
    ] = None,
    reward: Annotated[float | None, Field(ge=0, le=1, description="Instead of a verdict.")] = None,
    kind: Annotated[
        FeedbackKind, Field(description="task: a metric; not learned from, but evaluated.")
    ] = "outcome",
) -> Feedback:
    """Say how well the prompt of a prompt_select did; once, and as late as you like.

    The same again changes nothing; another verdict is refused.
    """
    return await learning.feedback(
        decision_id, agent=agent, kind=kind, verdict=verdict, reward=reward
    )


@tool(title="Evaluate a policy", reads_only=True)
async def policy_evaluate(
    target: Annotated[
        str,
        Field(
            max_length=512,
            description="Of the log: uniform, thompson, lin_ucb, …, RULE+RULE or none. Of a table: "
            "the column of its chance of the action taken.",
        ),
    ],
    learning: Learning,
    table: Annotated[
        Source | LoggedColumns | None,
        Field(description="Logged rows; else the log of prompt_select."),
    ] = None,
    reward: Column = "reward",
    propensity: Column = "propensity",
    action: Column = "action",
    chances: Annotated[
        dict[str, Column] | None,
        Field(min_length=1, max_length=200, description="Action to column of target's chance."),
    ] = None,
    contexts: Annotated[
        list[Column] | None, Field(max_length=200, description="With chances: model rewards.")
    ] = None,
    kind: FeedbackKind = "outcome",
) -> PolicyReport:
    """Say what another policy would have earned, from logged choices; refuse where they are thin.

    IPS, SNIPS, doubly robust, with intervals. Of the log also which rules help where (level L1).
    """
    if table is None:
        return await learning.evaluate_log(target, kind)
    if contexts and not chances:
        raise InvalidInputError("contexts needs chances, the target's chance of every action.")
    columns = PolicyColumns(target, reward, propensity, action, chances, tuple(contexts or ()))
    return await learning.evaluate_table(table, columns)
