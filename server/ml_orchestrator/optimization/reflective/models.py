"""What a reflective session takes and tells, as records that leave through a tool."""

from typing import Annotated, Any, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "Answer",
    "Brief",
    "CandidateView",
    "Check",
    "Constraints",
    "Example",
    "HandIn",
    "Judged",
    "Need",
    "NewSession",
    "Proposal",
    "Report",
    "Split",
    "Stage",
]

Split = Literal["train", "validation", "test"]
Stage = Literal["baseline", "measure", "propose", "validate", "exhausted", "test", "finished"]
ExampleId = Annotated[str, Field(min_length=1, max_length=64)]


class Check(Record):
    """What an output must meet; a value of null takes the example's ``expected``."""

    kind: Literal["exact", "contains", "lacks", "regex", "json_schema"]
    value: Annotated[str | dict[str, Any] | None, Field(description="Else expected.")] = None


class Example(Record):
    """One task of the prompt: what goes in, and how what comes out is judged."""

    id: ExampleId
    input: Annotated[str, Field(max_length=20_000)]
    expected: Annotated[str | None, Field(max_length=20_000)] = None
    checks: Annotated[list[Check] | None, Field(max_length=10)] = None
    split: Annotated[Split | None, Field(description="Drawn from the seed if left out.")] = None


class Answer(Record):
    """What a candidate gave for an example: its output, or a score of your own for it."""

    example: ExampleId
    candidate: Annotated[str, Field(max_length=64, description="Such as c0.")] = ""
    output: Annotated[str | None, Field(max_length=20_000)] = None
    score: Annotated[float | None, Field(ge=0, le=1, description="Instead of checks.")] = None


class Proposal(Record):
    """A new wording with its answers on the examples of the brief."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    answers: Annotated[list[Answer], Field(min_length=1, max_length=500)]


class NewSession(Record):
    """What a session begins with."""

    prompt: str
    examples: Annotated[list[Example] | str, Field(description="Or the path of a file.")]
    checks: list[Check] = []
    budget: Annotated[int, Field(description="Outputs to be scored at most, but for the test.")]
    minibatch: int = 3
    max_added_tokens: int = 200
    seed: int = 0


class HandIn(Record):
    """What is handed in to a session."""

    answers: list[Answer] = []
    candidates: list[Proposal] = []
    finish: bool = False
    register_as: str | None = None
    alias: str | None = None


class Constraints(Record):
    """What a candidate must keep to."""

    max_tokens: Annotated[int, Field(description="Of the whole prompt, estimated.")]
    keep: Annotated[list[str], Field(description="Placeholders that must stay as they are.")]
    no_copies: Annotated[str, Field(description="What must not be repeated from examples.")] = (
        "Five words in a row of an example, or answers of several, are refused: state the rule."
    )


class Judged(Record):
    """One example under one candidate."""

    example: str
    input: str
    output: Annotated[str | None, Field(description="Cut at 1,500 characters.")]
    expected: str | None
    score: float
    failed: Annotated[list[str], Field(description="The checks that were not met.")]


class Need(Record):
    """Run this candidate on these inputs and hand the outputs in."""

    candidate: str
    text: str
    examples: Annotated[dict[str, str], Field(description="Example id to input.")]


class CandidateView(Record):
    """One candidate and how it fared."""

    id: str
    parent: str | None
    state: Literal["pool", "waiting", "rejected", "refused"]
    reason: str
    tokens: int
    train_score: Annotated[float | None, Field(description="Mean over what it was run on.")]
    validation_score: float | None
    gap: Annotated[
        float | None, Field(description="Train minus validation; large means overfitted.")
    ]


class Report(Record):
    """What came of it, judged on test examples that had no part in any choice."""

    level: Literal["L2"] = "L2"
    best: str
    text: str
    gain: Annotated[float | None, Field(description="Mean test score minus the first prompt's.")]
    low: Annotated[float | None, Field(description="Lower end of its 95% interval.")]
    high: float | None
    p_value: Annotated[float | None, Field(description="No gain against a gain, one-sided.")]
    n_test: int
    is_confirmed: Annotated[bool, Field(description="The interval lies above 0, p is below .05.")]
    train_gain: Annotated[float | None, Field(description="On what chose it: biased upwards.")]
    validation_gain: float | None
    tokens_added: int
    scored_by: Annotated[
        Literal["checks", "caller"],
        Field(
            description="The server's checks of outputs handed in, or scores that were handed in."
        ),
    ]
    summary: str


class Brief(Record):
    """Where a session stands and what to hand in next."""

    level: Literal["L2"] = "L2"
    session: str
    stage: Stage
    todo: Annotated[str, Field(description="What to do next.")]
    needs: Annotated[list[Need], Field(description="Outputs that are waited for.")] = []
    parent: Annotated[Need | None, Field(description="What to better, for these examples.")] = None
    judged: Annotated[list[Judged], Field(description="How the parent fared, worst first.")] = []
    constraints: Constraints
    candidates: Annotated[list[CandidateView], Field(description="The last 20, newest first.")]
    best: str | None
    front: Annotated[list[str], Field(description="Each is best on some validation example.")] = []
    n_scored: Annotated[int, Field(description="Outputs scored so far.")]
    budget: int
    sizes: Annotated[dict[str, int], Field(description="Examples by split.")]
    report: Report | None = None
    registered: Annotated[str | None, Field(description="Where the prompt was written.")] = None
