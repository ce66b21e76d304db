"""Tools that search for better rule sets and prompts, and confirm them on what was held out."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import formed
from ml_orchestrator.optimization.reflective.models import (
    Answer,
    Brief,
    Check,
    HandIn,
    NewSession,
    Proposal,
)
from ml_orchestrator.optimization.search.models import MOST_PROMPTS, Level
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.tools._arguments import RULE_PATTERN, RULE_WORDS, Agent
from ml_orchestrator.tools._services import Prompts, Workflow
from ml_orchestrator.tools._tool import tool

__all__ = ["prompt_propose", "prompt_submit", "rules_optimize"]

RuleNames: TypeAlias = Annotated[
    list[Annotated[str, formed(RULE_PATTERN, RULE_WORDS)]],
    Field(max_length=50, description="Names."),
]
Path: TypeAlias = Annotated[str, Field(min_length=1, max_length=1_000)]
RegisterAs: TypeAlias = Annotated[
    str | None, Field(max_length=128, description="Prompt in MLflow; written if confirmed.")
]
Alias: TypeAlias = Annotated[str | None, Field(max_length=64, description="Of it.")]
SessionId: TypeAlias = Annotated[
    str,
    formed("[a-z0-9-]{1,64}", "must be the session that prompt_propose gave, as it stands there"),
    Field(description="Begun before."),
]
Seed: TypeAlias = Annotated[int, Field(ge=0, le=2**31 - 1, description="Of all draws.")]
Short: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=20_000)]
Outputs: TypeAlias = Annotated[
    dict[Short, Annotated[str, Field(max_length=20_000)] | float],
    Field(min_length=1, max_length=1_000),
]


@tool(title="Optimise rules")
async def rules_optimize(
    agent: Agent,
    workflow: Workflow,
    prompts: Annotated[
        Annotated[list[Text], Field(max_length=MOST_PROMPTS)] | Path,
        Field(description="Or a file: prompt."),
    ] = [],  # noqa: B006 never changed; pydantic copies it
    level: Annotated[
        Level, Field(description="L0: rubric, L1: logged outcomes, L2: scores.")
    ] = "L0",
    scores: Annotated[
        Path | None, Field(description="For L2, a file: prompt, rules (a+b), score.")
    ] = None,
    required: RuleNames = [],  # noqa: B006 never changed; pydantic copies it
    forbidden: RuleNames = [],  # noqa: B006 never changed; pydantic copies it
    baseline: RuleNames = [],  # noqa: B006 never changed; pydantic copies it
    max_tokens_added: Annotated[float | None, Field(ge=0, description="Mean.")] = None,
    n_trials: Annotated[int, Field(ge=1, le=1_000, description="At L0.")] = 60,
    budget: Annotated[int | None, Field(description="Of prompts under a rule set.")] = None,
    seed: Seed = 0,
    register_as: RegisterAs = None,
    alias: Alias = None,
) -> RunStatus:
    """Search rules and order for effect, tokens, time, risk; gives a run_id.

    workflow_status tells the front, confirmed or not on held-out prompts; training_cancel stops
    it.
    """
    is_file = isinstance(prompts, str)
    params = {
        "level": level,
        "prompts": [] if is_file else prompts,
        "prompts_source": prompts if is_file else None,
        "scores_source": scores,
        "required": required,
        "forbidden": forbidden,
        "baseline": baseline,
        "max_tokens_added": max_tokens_added,
        "n_trials": n_trials,
        "budget": budget,
        "seed": seed,
        "register_as": register_as,
        "alias": alias,
    }
    return await workflow.start("optimize-rules", params, actor=agent)


@tool(title="Propose a prompt")
async def prompt_propose(
    agent: Agent,
    prompts: Prompts,
    session: SessionId | None = None,
    prompt: Annotated[Text | None, Field(description="To be bettered.")] = None,
    examples: Annotated[
        Path | None, Field(description="File: input, expected, id, split; 17 rows or more.")
    ] = None,
    checks: Annotated[
        list[Check], Field(max_length=10, description="None: you give scores of 0 to 1.")
    ] = [],  # noqa: B006 never changed; pydantic copies it
    budget: Annotated[int, Field(ge=1, description="Outputs to score.")] = 300,
    max_added_tokens: Annotated[int, Field(ge=0, description="May grow so far.")] = 200,
    seed: Seed = 0,
) -> Brief:
    """Begin bettering a prompt on examples; with session, see what to run or write next.

    You write and run wordings; here they are judged, last on hidden examples (L2). Hand in with
    prompt_submit.
    """
    if session is not None:
        if prompt is not None or examples is not None or checks:
            raise InvalidInputError(
                "A session has its prompt, examples and checks already: give session alone, or "
                "leave it out to begin a new one."
            )
        return await prompts.brief(session)
    if prompt is None or examples is None:
        raise InvalidInputError(
            "A new session needs prompt and examples; to go on with one give session."
        )
    new = NewSession(
        prompt=prompt,
        examples=examples,
        checks=checks,
        budget=budget,
        max_added_tokens=max_added_tokens,
        seed=seed,
    )
    return await prompts.begin_session(new, agent=agent)


@tool(title="Submit a prompt")
async def prompt_submit(
    agent: Agent,
    session: SessionId,
    prompts: Prompts,
    answers: Annotated[
        dict[Short, Outputs],
        WithJsonSchema({"type": "object"}),
        Field(max_length=50, description="{candidate: {example: output or score}}."),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    candidates: Annotated[
        dict[Text, Outputs],
        WithJsonSchema({"type": "object"}),
        Field(max_length=20, description="{new wording: the same on its parent's examples}."),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    by_endpoint: Annotated[bool, Field(description="One turn by the settings' model.")] = False,
    finish: Annotated[bool, Field(description="End the rounds; the test is next.")] = False,
    register_as: RegisterAs = None,
    alias: Alias = None,
) -> Brief:
    """Hand outputs and wordings in to prompt_propose; returns what is next.

    In the end the held-out gain with its interval.
    """
    if by_endpoint:
        if answers or candidates or finish or register_as:
            raise InvalidInputError("by_endpoint takes a turn of its own: give session alone.")
        return await prompts.submit_by_endpoint(session)
    given = HandIn(
        answers=[each for name, outputs in answers.items() for each in _answers(name, outputs)],
        candidates=[
            Proposal(text=text, answers=_answers("", outputs))
            for text, outputs in candidates.items()
        ],
        finish=finish,
        register_as=register_as,
        alias=alias,
    )
    return await prompts.submit(session, given, agent=agent)


def _answers(candidate: str, outputs: Mapping[str, str | float]) -> list[Answer]:
    """Return outputs, which are text, and scores, which are numbers, as answers."""
    for example, given in outputs.items():
        if not isinstance(given, str) and not 0 <= given <= 1:
            raise InvalidInputError(f"Score {given} for {example} is not within 0 and 1.")
    return [
        Answer(example=example, candidate=candidate, output=given)
        if isinstance(given, str)
        else Answer(example=example, candidate=candidate, score=given)
        for example, given in outputs.items()
    ]
