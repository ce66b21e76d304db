"""What was done to a prompt, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = ["AppliedRule", "Criterion", "Improvement", "RubricScore", "SkippedRule"]

Share = Annotated[float, Field(ge=0, le=1)]


class Criterion(Record):
    """One line of the rubric."""

    name: Annotated[str, Field(description="What is looked at.")]
    weight: Annotated[float, Field(gt=0, description="Its weight for this kind of task.")]
    score: Annotated[Share, Field(description="How far it is met, 0 to 1.")]
    why: Annotated[str, Field(description="What was seen.")]


class RubricScore(Record):
    """How far a prompt meets the rubric: the weighted mean of the criteria that apply."""

    score: Annotated[Share, Field(description="0 to 1; what is left to fill in counts half.")]
    criteria: Annotated[tuple[Criterion, ...], Field(description="Those that apply here.")]


class AppliedRule(Record):
    """A rule that changed the prompt."""

    rule: Annotated[str, Field(description="Name of the rule.")]
    reason: Annotated[str, Field(description="Why it applies here.")]
    where: Annotated[str, Field(description="What in the prompt it is about, cut short.")]


class SkippedRule(Record):
    """A rule that was held back, or that was named and has nothing to do here."""

    rule: Annotated[str, Field(description="Name of the rule.")]
    reason: Annotated[str, Field(description="Why.")]
    fits: Annotated[
        bool, Field(description="Whether it would have changed or asked something.")
    ] = True


class Improvement(Record):
    """A prompt after rules were applied, with what was done and what only its author knows."""

    level: Annotated[
        Literal["L0"], Field(description="L0: it meets a rubric; no answers were compared.")
    ] = "L0"
    text: Annotated[str, Field(description="The prompt after the rules.")]
    diff: Annotated[str, Field(description="Unified diff from the given prompt; empty if same.")]
    applied: Annotated[tuple[AppliedRule, ...], Field(description="In the order applied.")]
    skipped: Annotated[
        tuple[SkippedRule, ...], Field(description="Held back, or named and idle, and why.")
    ]
    questions: Annotated[
        tuple[str, ...], Field(description="For the author, of marks [FILL IN: …] or gaps.")
    ]
    score_before: Annotated[Share, Field(description="Rubric score of the given prompt.")]
    score_after: Annotated[Share, Field(description="Rubric score of the new one.")]
    note: Annotated[str | None, Field(description="What limits this, such as the language.")]
    flags: Annotated[
        tuple[str, ...], Field(description="What looks odd in it, such as invisible_characters.")
    ] = ()
