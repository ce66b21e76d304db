"""What choosing rules and judging the choice give and take."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ml_orchestrator.records import Record
from ml_orchestrator.settings import PromptPolicy

__all__ = [
    "LEVELS",
    "VERDICTS",
    "Candidate",
    "Decision",
    "Feedback",
    "FeedbackKind",
    "Option",
    "PolicyName",
    "Verdict",
    "rules_key",
]

PolicyName: TypeAlias = PromptPolicy
Verdict = Literal["accepted", "edited", "retried", "rejected"]
FeedbackKind = Literal["outcome", "task"]
Candidate: TypeAlias = str | Sequence[str]
"""One rule, or a set of rules applied together; no rule at all is a candidate, too."""

VERDICTS: Mapping[Verdict, float] = MappingProxyType(
    {"accepted": 1.0, "edited": 0.7, "retried": 0.2, "rejected": 0.0}
)
"""The reward of each verdict: a convention of ours, not a measurement."""

LEVELS: Mapping[FeedbackKind, Literal["L1", "L2"]] = MappingProxyType(
    {"outcome": "L1", "task": "L2"}
)


class Option(Record):
    """One candidate of a decision."""

    rules: Annotated[list[str], Field(description="Sorted; empty: the prompt as it is.")]
    propensity: Annotated[float, Field(description="The chance it had of being chosen.")]


class Decision(Record):
    """What was chosen, and the chance every candidate had: the choice was drawn by them."""

    id: Annotated[str, Field(description="Give it to prompt_feedback.")]
    chosen: list[str]
    propensity: Annotated[float, Field(description="Of what was chosen.")]
    options: list[Option]
    policy: PolicyName
    policy_version: str
    floor: Annotated[float, Field(description="Share of choices that go to any candidate alike.")]
    n_judged: Annotated[int, Field(description="Judged decisions this one has learned from.")]
    level: Literal["L1"] = "L1"
    decided_at: str


class Feedback(Record):
    """How a decision was judged: once for each kind."""

    decision_id: str
    kind: FeedbackKind
    verdict: Verdict | None
    reward: Annotated[float, Field(description="0 to 1.")]
    rules: Annotated[list[str], Field(description="What had been chosen.")]
    level: Annotated[
        Literal["L1", "L2"], Field(description="L1: logged outcome; L2: metric of a task.")
    ]
    given_by: str
    given_at: str
    is_repeat: Annotated[bool, Field(description="It was known already; nothing changed.")]


def rules_key(candidate: Candidate) -> str:
    """Return the name of a candidate: its rules, sorted, joined by ``+``.

    >>> rules_key(["role", "clarity", "role"])
    'clarity+role'
    """
    names = candidate.split("+") if isinstance(candidate, str) else candidate
    return "+".join(sorted({name for name in names if name}))
