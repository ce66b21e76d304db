"""Tools that say what recorded outcomes show."""

from typing import Annotated, Any, TypeAlias

from mcp.types import CallToolResult
from pydantic import Field, WithJsonSchema

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
    Field(min_length=2, max_length=200),
    WithJsonSchema({"type": "object"}),
]
Column: TypeAlias = Annotated[str | None, Field(max_length=200)]


@tool(title="Discover patterns", reads_only=True)
async def patterns_discover(
    source: Annotated[Source | CaseColumns, Field(description="Data file, or column to values.")],
    outcome: Annotated[str, Field(max_length=200, description="Numbers, or two values.")],
    evaluation: Evaluation,
    features: Annotated[
        list[str] | None,
        Field(min_length=1, max_length=200, description="Columns; else all others."),
    ] = None,
    group: Annotated[
        Column, Field(description="Column of whose case it is; kept together.")
    ] = None,
    time_column: Annotated[Column, Field(description="Replicate on the latest cases.")] = None,
    sequence: Annotated[Column, Field(description="Column of events in order: a > b > c.")] = None,
    fdr: Annotated[float, Field(description="Share of false findings.")] = 0.1,
    seed: Annotated[int, Field(description="Of the parts.")] = 0,
    with_plot: Annotated[bool, Field(description="Add a picture.")] = False,
) -> Annotated[CallToolResult, PatternReport]:
    """Find features, sets of them, orders of events and clusters that go with an outcome.

    Replicated on separate cases; association, not cause.
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
    columns: Annotated[
        dict[str, str],
        WithJsonSchema({"type": "object"}),
        Field(description="Role to column: arm, outcome; covariate (CUPED), unit, time."),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    is_monitored: Annotated[bool, Field(description="Looked at repeatedly.")] = False,
    plan: Annotated[
        dict[str, Any],
        Field(
            description="effect, baseline, sd, power, n_per_arm, alpha, margin (equivalence), "
            "control, method, lower_is_better, guards {column: {may_rise or may_fall: by}}, ..."
        ),
    ] = {},  # noqa: B006 likewise
    level: Annotated[Level, Field(description="L2: outcome is a task metric.")] = "L1",
    with_plot: Annotated[bool, Field(description="Add a picture.")] = False,
) -> Annotated[CallToolResult, ExperimentReport]:
    """Say what an experiment of two or more arms shows, and what not; without data, plan one."""
    options = options_of(plan, columns, is_monitored=is_monitored, level=level, with_plot=with_plot)
    report, pictures = await evaluation.experiment(source, options)
    return with_pictures(report, *pictures)
