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
        Field(max_length=200, description="Column to predict; a built-in has a default."),
    ] = None,
    task: Annotated[
        Literal["auto", "classification", "regression"], Field(description="Kind of problem.")
    ] = "auto",
    column_types: ColumnTypes = {},  # noqa: B006 never changed; pydantic copies it
    trainers: Annotated[
        list[str],
        Field(
            max_length=10,
            description="linear, elastic_net, nearest, naive_bayes, neural_net, forest, "
            "extra_trees, histogram_boosting, linear_boosting, lightgbm; empty for all.",
        ),
    ] = [],  # noqa: B006 never changed; pydantic copies it
    metric: Annotated[
        str | None,
        Field(max_length=50, description="What to optimise; by task if left out."),
    ] = None,
    n_trials: Annotated[int, Field(ge=1, le=1_000, description="Trials of the search.")] = 30,
    timeout_s: Annotated[
        float, Field(ge=1, le=86_400, description="Time for all of it, the last fit included.")
    ] = 120.0,
    n_folds: Annotated[int, Field(ge=2, le=20, description="Cross-validation folds.")] = 5,
    test_fraction: Annotated[
        float, Field(ge=0.05, le=0.5, description="Share of rows held out.")
    ] = 0.2,
    seed: Annotated[
        int,
        Field(
            ge=0,
            le=2**31 - 1,
            description="Same seed, same trials in order.",
        ),
    ] = 0,
    time_column: Annotated[
        str | None,
        Field(max_length=200, description="Order rows by this; never look ahead of it."),
    ] = None,
    group_column: Annotated[
        str | None,
        Field(max_length=200, description="Keep rows with the same value together."),
    ] = None,
    weight_column: Annotated[
        str | None, Field(max_length=200, description="How much each row counts in fitting.")
    ] = None,
    quantile: Annotated[
        float | None, Field(gt=0, lt=1, description="Predict this quantile, not the mean.")
    ] = None,
    warm_start: Annotated[
        bool, Field(description="After the defaults, try what did best on similar data here.")
    ] = False,
    sampler: Annotated[
        Literal["tpe", "gp", "cmaes", "random"],
        Field(description="How parameters are drawn; gp needs torch, cmaes needs cmaes."),
    ] = "tpe",
    allocation: Annotated[
        Literal["bandit", "improvement", "halving", "uniform"],
        Field(description="How trials are spent on families."),
    ] = "bandit",
    refine: Annotated[
        bool,
        Field(description="Average, calibrate, move the threshold where it helps beyond noise."),
    ] = True,
    alias: Annotated[
        Literal["challenger"] | None,
        Field(description="null leaves aliases alone."),
    ] = "challenger",
    idempotency_key: IdempotencyKey = None,
) -> RunStatus:
    """Train and tune a model in the background; returns a run_id at once.

    Searches by cross-validation, scores the best on held-out rows, logs to MLflow, registers a
    version and points @challenger at it; registry_move_alias moves other aliases. Survives this
    session; follow it with training_status. Run dataset_profile first.
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
    with_plots: Annotated[bool, Field(description="At the end, add pictures.")] = False,
) -> Annotated[CallToolResult, RunStatus]:
    """Return how far a training is, and its result when it is done.

    Gives steps, best score so far and time left; at the end the held-out score with its interval
    beside a baseline's, trainer, parameters, importances and registered version.
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
        Field(description="End the search at its next fold and register the best so far."),
    ] = False,
) -> RunStatus:
    """Stop a training run; its search is killed and finished trials stay on disk.

    With keep_best it ends early instead, with a model: follow it with training_status. A run
    that is registering or promoting already finishes that step: its version stays.
    """
    stop = workflow.finish_early if keep_best else workflow.cancel
    return await stop(run_id, actor=agent)
