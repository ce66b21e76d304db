"""Runs of workflows, as records that leave through a tool."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "MARKS",
    "MOST_COUNTED",
    "UNFINISHED",
    "AttemptStatus",
    "NodeStatus",
    "PipelineStatus",
    "RunList",
    "RunProgress",
    "RunState",
    "RunStatus",
    "StepState",
    "StepStatus",
]

MOST_COUNTED = 10_000  # runs that are left out of a list

RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
UNFINISHED: tuple[RunState, ...] = ("queued", "running")
StepState = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped"]
MARKS: Mapping[StepState, str] = MappingProxyType(
    {
        "succeeded": "+",
        "failed": "!",
        "running": ">",
        "cancelled": "x",
        "skipped": "-",
        "pending": ".",
    }
)
"""How a step's state is shown in one character of a terminal."""


# In a pipeline a condition may skip steps while the run goes on.
_DONE = {False: ("succeeded",), True: ("succeeded", "skipped", "failed")}


class AttemptStatus(Record):
    """One attempt of one item of a step that failed."""

    unit: Annotated[str, Field(description="Step, [item] and #attempt.")]
    started_at: Annotated[str | None, Field(description="ISO 8601 UTC.")] = None
    seconds: Annotated[float | None, Field(ge=0)] = None
    error: Annotated[str, Field(description="Why it failed.")]


class NodeStatus(Record):
    """What a step of a pipeline has besides: its place in the graph, items, attempts."""

    uses: Annotated[str, Field(description="The catalogued step.")]
    needs: Annotated[list[str], Field(description="Steps that come before.")]
    inputs: Annotated[
        dict[str, Any] | None,
        Field(
            description="What it was given, once it has begun: references replaced, what is long "
            "cut; of for_each the first 10 under items."
        ),
    ] = None
    n_items: Annotated[int | None, Field(description="Entries of for_each.")] = None
    n_done: Annotated[int | None, Field(description="Of these, over.")] = None
    failures: Annotated[list[AttemptStatus], Field(description="The last 20.")] = []
    because: Annotated[str | None, Field(description="Why it was skipped.")] = None
    cached_from: Annotated[str | None, Field(description="The run whose output this is.")] = None
    doing: Annotated[str | None, Field(description="What it last said of itself.")] = None


class PipelineStatus(Record):
    """What the run of a pipeline has besides."""

    digest: Annotated[str, Field(description="SHA-256 of the specification it began with.")]
    warnings: Annotated[list[str], Field(description="Doubts about the specification.")] = []


class StepStatus(Record):
    """One step of a run."""

    name: Annotated[str, Field(description="The step's name in the catalogue.")]
    state: Annotated[
        StepState,
        Field(description="skipped: the run ended before this step was needed."),
    ]
    started_at: Annotated[str | None, Field(description="ISO 8601 UTC.")] = None
    seconds: Annotated[float | None, Field(ge=0, description="How long it took, in s.")] = None
    output: Annotated[
        dict[str, Any] | None,
        Field(
            description="What it returned; null once the run has succeeded, "
            "because it is part of the run's result then."
        ),
    ] = None
    error: Annotated[str | None, Field(description="Why it failed.")] = None
    node: Annotated[NodeStatus | None, Field(description="Of a pipeline's step.")] = None


class RunProgress(Record):
    """The latest report of a running step."""

    step: Annotated[str, Field(description="The step that reports.")]
    fraction: Annotated[float, Field(ge=0, le=1, description="Part of the step that is done.")]
    message: Annotated[str, Field(description="What it is doing, in one line.")]
    numbers: Annotated[
        dict[str, float], Field(description="Figures so far, such as the best score.")
    ] = {}
    updated_at: Annotated[str, Field(description="ISO 8601 UTC.")]


class RunStatus(Record):
    """One run of a workflow: what has happened, what is happening, and how it ended."""

    run_id: Annotated[str, Field(description="Names the run in every other call.")]
    workflow: Annotated[str, Field(description="The workflow's name in the catalogue.")]
    state: Annotated[
        RunState,
        Field(description="queued and running go on; succeeded, failed and cancelled are final."),
    ]
    actor: Annotated[str, Field(description="The agent that started it.")]
    created_at: Annotated[str, Field(description="ISO 8601 UTC.")]
    updated_at: Annotated[str, Field(description="ISO 8601 UTC.")]
    steps: Annotated[
        list[StepStatus], Field(description="All its steps, in order; none in a list.")
    ]
    progress: Annotated[
        RunProgress | None, Field(description="Latest report of the running step, if any.")
    ] = None
    result: Annotated[
        dict[str, Any] | None,
        Field(description="What its steps returned, once it has succeeded; null in a list."),
    ] = None
    error: Annotated[str | None, Field(description="Why the run failed.")] = None
    resumes: Annotated[
        str | None, Field(description="The failed attempt that this one goes on from.")
    ] = None
    resumed_as: Annotated[
        str | None, Field(description="The attempt that went on where this one failed.")
    ] = None
    pipeline: Annotated[PipelineStatus | None, Field(description="Of a pipeline's run.")] = None
    picture: Annotated[str | None, Field(description="The graph in text, if asked for.")] = None
    notices: Annotated[
        tuple[str, ...],
        Field(
            description="Said when it is started: rows and columns that are left out, and the "
            "like; and while it waits for a worker of another release to leave."
        ),
    ] = ()

    @property
    def fraction(self) -> float:
        """Part of all its steps that is done, 0 to 1; a step counts by its own progress.

        Of a run that has succeeded all is done, though it may not have needed every step.
        """
        if self.state == "succeeded":
            return 1.0
        done = sum(step.state in _DONE[self.pipeline is not None] for step in self.steps)
        running = self.progress.fraction if self.progress else 0.0
        return min(1.0, (done + running) / len(self.steps))

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state in ("succeeded", "failed", "cancelled")


class RunList(Record):
    """One page of runs, newest first."""

    runs: list[RunStatus]
    next_cursor: Annotated[
        str | None, Field(description="Pass it as cursor for the next page; null on the last.")
    ] = None
    n_left_out: Annotated[
        int,
        Field(
            ge=0,
            description="Looks of monitors and scheduled runs that succeeded, as new as these; "
            "10,000 stands for more.",
        ),
    ] = 0
