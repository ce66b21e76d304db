"""Tools that say what recorded outcomes show."""

from typing import Annotated, Any, TypeAlias

from mcp.types import CallToolResult
from pydantic import Field

from ml_orchestrator.evaluation.experiments.models import ExperimentReport, Level
from ml_orchestrator.evaluation.experiments.options import options_of
from ml_orchestrator.evaluation.patterns.models import PatternReport
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.tools._arguments import Source
from ml_orchestrator.tools._images import with_pictures
from ml_orchestrator.tools._services import Evaluation
from ml_orchestrator.tools._tool import tool

__all__ = ["experiment_evaluate", "patterns_discover"]

CaseColumns: TypeAlias = Annotated[
    dict[str, list[float | str | None]],
    Field(min_length=2, max_length=200, description="Column to values; null is missing."),
]
Column: TypeAlias = Annotated[str | None, Field(max_length=200)]


@tool(title="Discover patterns", reads_only=True)
async def patterns_discover(
    source: Annotated[Source | CaseColumns, Field(description="A data file or columns.")],
    outcome: Annotated[str, Field(max_length=200, description="Numbers, or two values.")],
    evaluation: Evaluation,
    features: Annotated[
        list[str] | None, Field(min_length=1, max_length=200, description="Else all others.")
    ] = None,
    group: Annotated[Column, Field(description="Whose cases belong together: user, day.")] = None,
    time_column: Annotated[Column, Field(description="Replicate on the latest cases.")] = None,
    sequence: Annotated[Column, Field(description="Events in order: a > b > c.")] = None,
    fdr: Annotated[
        float, Field(gt=0, lt=1, description="False share allowed among confirmed.")
    ] = 0.1,
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0,
    with_plot: bool = False,
) -> Annotated[CallToolResult, PatternReport]:
    """Find what goes with an outcome: features, sets up to three, orders of events, clusters.

    Selected on one part of the cases, tested on a second, replicated on a third (level L1). It
    shows association, not cause: experiment_evaluate does.
    """
    spec = PatternSpec(
        outcome=outcome,
        features=features,
        group=group,
        time=time_column,
        sequence=sequence,
        fdr=fdr,
        seed=seed,
    )
    report, pictures = await evaluation.patterns(source, spec, with_plot=with_plot)
    return with_pictures(report, *pictures)


@tool(title="Evaluate an experiment", reads_only=True)
async def experiment_evaluate(
    evaluation: Evaluation,
    source: Annotated[
        str | dict[str, Any] | None,
        Field(
            description="Data file; column to values; or arm to {n, successes} or {n, mean, sd}."
        ),
    ] = None,
    arm: str | None = None,
    outcome: str | None = None,
    control: str | None = None,
    covariate: Annotated[str | None, Field(description="For CUPED.")] = None,
    unit: str | None = None,
    time_column: str | None = None,
    is_monitored: Annotated[bool, Field(description="Looked at repeatedly.")] = False,
    plan: Annotated[
        dict[str, Any],
        Field(
            description="effect, baseline, sd, power, n_per_arm, alpha, margin (equivalence), method, "
            "lower_is_better, guards (column: acceptable loss), shares, correction, low, high."
        ),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    level: Level = "L1",
    with_plot: bool = False,
) -> Annotated[CallToolResult, ExperimentReport]:
    """Say what an experiment of two or more arms shows, and what not; without data, plan one."""
    options = options_of(
        plan,
        arm=arm,
        outcome=outcome,
        control=control,
        covariate=covariate,
        unit=unit,
        time_column=time_column,
        is_monitored=is_monitored,
        level=level,
        with_plot=with_plot,
    )
    report, pictures = await evaluation.experiment(source, options)
    return with_pictures(report, *pictures)
