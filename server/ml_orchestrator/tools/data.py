"""Data tools."""

from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from ml_orchestrator.datasets.models import DatasetProfile
from ml_orchestrator.tools._arguments import ColumnTypes, Source
from ml_orchestrator.tools._images import with_pictures
from ml_orchestrator.tools._services import Monitoring
from ml_orchestrator.tools._tool import tool

__all__ = ["dataset_profile"]


@tool(title="Profile a data set", reads_only=True)
async def dataset_profile(
    source: Source,
    monitoring: Monitoring,
    target: Annotated[str | None, Field(max_length=200, description="Column to predict.")] = None,
    columns: Annotated[
        list[str] | None,
        Field(
            min_length=1,
            max_length=500,
            description="In detail; else the first 100.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        Field(max_length=80, description="Check against this baseline."),
    ] = None,
    max_age_hours: Annotated[
        float | None, Field(gt=0, description="With it: of the newest row.")
    ] = None,
    column_types: ColumnTypes = {},  # noqa: B006 never changed; pydantic copies it
    with_plot: Annotated[bool, Field(description="Add a picture.")] = False,
) -> Annotated[CallToolResult, DatasetProfile]:
    """Describe a data set before training on it.

    Its quality, columns that give the target away, and the task and metric that fit.
    """
    profile, pictures = await monitoring.profile(
        source,
        target,
        columns=columns,
        column_types=column_types,
        baseline=baseline,
        max_age_hours=max_age_hours,
        with_plot=with_plot,
    )
    return with_pictures(profile, *pictures)
