"""Training tools."""

from typing import Annotated, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.services import Services
from ml_orchestrator.tools._arguments import (
    Agent,
    ColumnTypes,
    IdempotencyKey,
    ModelName,
    RunId,
    Source,
    WaitS,
)
from ml_orchestrator.tools._images import with_pictures
from ml_orchestrator.tools._progress import progress_to
from ml_orchestrator.tools._services import Workflow
from ml_orchestrator.tools._tool import tool

__all__ = ["training_cancel", "training_start", "training_status"]


@tool(title="Start training")
async def training_start(
    agent: Agent,
    source: Source,
    model: ModelName,
    workflow: Workflow,
    target: Annotated[
        str | None,
        Field(max_length=200, description="Column to predict."),
    ] = None,
    task: Annotated[
        Literal["auto", "classification", "regression"], Field(description="Kind of problem.")
    ] = "auto",
    column_types: ColumnTypes = {},  # noqa: B006 never changed; pydantic copies it
    trainers: Annotated[
        list[str],
        Field(
            max_length=10,
            description="Such as linear, forest, lightgbm; else all.",
        ),
    ] = [],  # noqa: B006 never changed; pydantic copies it
    metric: Annotated[
        str | None,
        Field(max_length=50, description="To optimise; else by task."),
    ] = None,
    n_trials: Annotated[int, Field(ge=1, le=1_000, description="Of the search.")] = 30,
    timeout_s: Annotated[float, Field(ge=1, le=86_400, description="To search and fit.")] = 120.0,
    n_folds: Annotated[int, Field(ge=2, le=20, description="Of cross-validation.")] = 5,
    test_fraction: Annotated[float, Field(ge=0.05, le=0.5, description="Rows held out.")] = 0.2,
    seed: Annotated[
        int,
        Field(
            ge=0,
            le=2**31 - 1,
            description="Same seed, same trials.",
        ),
    ] = 0,
    time_column: Annotated[
        str | None,
        Field(max_length=200, description="Orders rows; no looking ahead."),
    ] = None,
    group_column: Annotated[
        str | None,
        Field(max_length=200, description="Keeps equal values together."),
    ] = None,
    weight_column: Annotated[
        str | None, Field(max_length=200, description="How much a row counts.")
    ] = None,
    quantile: Annotated[
        float | None, Field(gt=0, lt=1, description="Predicted, not the mean.")
    ] = None,
    horizon: Annotated[
        int, Field(ge=0, le=1_000, description="Of series: steps ahead; 0: no lags.")
    ] = 1,
    objectives: Annotated[
        list[str],
        Field(max_length=3, description="latency, size beside quality; size<=1e5 sets a limit."),
    ] = [],  # noqa: B006 never changed; pydantic copies it
    warm_start: Annotated[
        bool, Field(description="Try early what did best on similar data.")
    ] = False,
    sampler: Annotated[
        Literal["tpe", "gp", "cmaes", "nsga2", "random"],
        Field(description="gp: torch; nsga2: objectives."),
    ] = "tpe",
    allocation: Annotated[
        Literal["bandit", "improvement", "halving", "uniform"],
        Field(description="How trials are spent on families."),
    ] = "bandit",
    refine: Annotated[
        bool,
        Field(description="Average, calibrate, move the threshold."),
    ] = True,
    alias: Annotated[
        Literal["challenger"] | None,
        Field(description="null: leave aliases."),
    ] = "challenger",
    idempotency_key: IdempotencyKey = None,
) -> RunStatus:
    """Train and tune a model in the background; returns a run_id at once.

    The best is scored on held-out rows and registered as @challenger. Run dataset_profile first;
    follow with training_status.
    """
    params = {
        "source": source,
        "target": target,
        "model": model,
        "alias": alias,
        "task": task,
        "column_types": column_types,
        "trainers": trainers,
        "metric": metric,
        "n_trials": n_trials,
        "timeout_s": timeout_s,
        "n_folds": n_folds,
        "test_fraction": test_fraction,
        "seed": seed,
        "time_column": time_column,
        "group_column": group_column,
        "weight_column": weight_column,
        "quantile": quantile,
        "horizon": horizon,
        "objectives": objectives,
        "warm_start": warm_start,
        "sampler": sampler,
        "allocation": allocation,
        "refine": refine,
    }
    return await workflow.start("train", params, actor=agent, idempotency_key=idempotency_key)


@tool(title="Follow training", reads_only=True)
async def training_status(
    run_id: RunId,
    workflow: Workflow,
    ctx: Context[Services],
    wait_s: WaitS = 0,
    with_plots: Annotated[bool, Field(description="Pictures, at the end.")] = False,
) -> Annotated[CallToolResult, RunStatus]:
    """Return how far a training is, and its result when it is done.

    The held-out score with its interval beside a baseline's, and the version.
    """
    status = await workflow.status(run_id, wait_s=wait_s, on_progress=progress_to(ctx))
    pictures = await workflow.pictures(run_id) if with_plots else []
    return with_pictures(status, *pictures)


@tool(title="Cancel training", destroys=True)
async def training_cancel(
    agent: Agent,
    run_id: RunId,
    workflow: Workflow,
    keep_best: Annotated[
        bool,
        Field(description="End at the next fold with the best so far."),
    ] = False,
) -> RunStatus:
    """Stop a training run; with keep_best it ends early with a model instead."""
    stop = workflow.finish_early if keep_best else workflow.cancel
    return await stop(run_id, actor=agent)
