"""What a search over rules is asked and tells, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "MOST_PROMPTS",
    "Confirmation",
    "Level",
    "Means",
    "Member",
    "OptimisationReport",
    "RulePlan",
    "RuleScore",
    "SearchSpec",
]

MOST_PROMPTS = 300
MAX_CHARACTERS = 20_000  # of a prompt

Level = Literal["L0", "L1", "L2"]
Rules = Annotated[list[str], Field(max_length=50)]


class RulePlan(Record):
    """A set of rules with its limits: what ``prompt_improve`` takes."""

    rules: Annotated[
        Rules, Field(description="As they run, > before those put first; empty: as it is.")
    ]
    max_added_words: Annotated[int | None, Field(ge=0)] = None
    may_ask: Annotated[bool, Field(description="May leave marks for the author.")] = True

    @property
    def name(self) -> str:
        """Its rules and limits in one line."""
        limit = "" if self.max_added_words is None else f" ≤{self.max_added_words} words"
        return ("+".join(self.rules) or "as it is") + limit + ("" if self.may_ask else " no marks")


class RuleScore(Record):
    """A recorded evaluation: how a prompt did under a set of rules."""

    prompt: Annotated[str, Field(min_length=1, max_length=200, description="Id of the prompt.")]
    rules: Rules
    score: Annotated[float, Field(ge=0, le=1)]
    latency_ms: Annotated[
        float | None, Field(ge=0, description="What the answer took; null: not recorded.")
    ] = None


class SearchSpec(Record):
    """What to search for, and on what."""

    level: Level = "L0"
    prompts: Annotated[
        list[Annotated[str, Field(max_length=MAX_CHARACTERS)]], Field(max_length=MOST_PROMPTS)
    ] = []
    scores: Annotated[list[RuleScore], Field(max_length=20_000)] = []
    required: Rules = []
    forbidden: Rules = []
    baseline: Annotated[Rules, Field(description="What gains are over; empty: as it is.")] = []
    max_tokens_added: Annotated[float | None, Field(ge=0)] = None
    max_latency_ms: Annotated[
        float | None, Field(ge=0, description="Mean; as latency_ms of what is found.")
    ] = None
    n_trials: Annotated[int, Field(ge=1, le=1_000)] = 60
    budget: Annotated[int | None, Field(ge=1)] = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class Means(Record):
    """A rule set on the prompts of the search, in the mean."""

    effect: Annotated[float, Field(description="Gain over the baseline, on the level's scale.")]
    tokens_added: Annotated[float | None, Field(description="Estimated; null: not known.")]
    risk: Annotated[
        float | None,
        Field(description="Share of prompts left with marks, or whose intent held a rule back."),
    ]
    latency_ms: Annotated[
        float | None,
        Field(
            description="Recorded at L2: more than the baseline's. Else what the rules take for a "
            "prompt, estimated from what they read; null: not known."
        ),
    ] = None


class Confirmation(Record):
    """A rule set on held-out evidence that had no part in the search."""

    n: int
    gain: Annotated[float, Field(description="Over the baseline, of the same prompts.")]
    low: Annotated[float, Field(description="Simultaneous 95% interval over the whole front.")]
    high: float
    p_adjusted: Annotated[float, Field(description="Twice one-sided, by Bonferroni.")]
    is_confirmed: Annotated[bool, Field(description="The interval is above 0, p below .05.")]
    gap: Annotated[float, Field(description="Effect in the search minus gain: overfitting.")]
    milliseconds: Annotated[
        float | None,
        Field(
            description="On a prompt held out: more than the baseline's if recorded, else what the "
            "rules take, measured."
        ),
    ] = None
    copied: Annotated[
        str | None, Field(description="Words of the search's prompts put into held-out ones.")
    ] = None


class Member(Record):
    """A rule set that no other of the search beats in everything."""

    plan: RulePlan
    search: Means
    held_out: Confirmation


class OptimisationReport(Record):
    """The front of a search, each member confirmed or not."""

    level: Annotated[
        Level, Field(description="L0: a rubric's score; L1: logged outcomes; L2: a task's metric.")
    ]
    front: Annotated[list[Member], Field(description="Largest effect first.")]
    recommended: Annotated[
        RulePlan | None, Field(description="The confirmed one of the largest gain; or none.")
    ]
    baseline: list[str]
    n_search: Annotated[int, Field(description="Prompts, or decisions, of the search.")]
    n_held_out: int
    n_trials: int
    n_evaluations: Annotated[int, Field(description="Prompts under a rule set, all in all.")]
    stopped_by: Literal["trials", "budget", "all tried", "stopped"]
    refused: Annotated[dict[str, str], Field(description="Rule sets not judged, and why.")] = {}
    idle: Annotated[
        dict[str, str], Field(description="Rules required or of the baseline that change nothing.")
    ] = {}
    summary: str
