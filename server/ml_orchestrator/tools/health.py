"""Health and drift tools."""

from typing import Annotated, Literal, TypeAlias

from mcp.types import CallToolResult
from pydantic import Field

from ml_orchestrator.health.models import Correction, DriftReport
from ml_orchestrator.health.status import HealthReport
from ml_orchestrator.tools._arguments import Source
from ml_orchestrator.tools._images import with_pictures
from ml_orchestrator.tools._services import Monitoring
from ml_orchestrator.tools._tool import tool

__all__ = ["drift_check", "health_get"]

InlineColumns: TypeAlias = Annotated[
    dict[str, list[float | str | None]],
    Field(min_length=1, max_length=200, description="Column name to values; null is missing."),
]
_SAMPLE = "What to compare with: a CSV or Parquet file, builtin:NAME, or column name to values."
Test = Literal[
    "auto",
    "ks",
    "wasserstein",
    "psi",
    "jensen_shannon",
    "hellinger",
    "total_variation",
    "energy",
    "cramer_von_mises",
    "anderson_darling",
    "chi_square",
    "chi_square_known_reference",
    "g_test",
]


@tool(title="Check drift", reads_only=True)
async def drift_check(
    reference: Annotated[Source | InlineColumns, Field(description=_SAMPLE)],
    current: Annotated[
        Source | InlineColumns, Field(description="The sample in question, likewise.")
    ],
    monitoring: Monitoring,
    columns: Annotated[
        list[str] | None, Field(min_length=1, max_length=500, description="Only these columns.")
    ] = None,
    test: Annotated[
        Test,
        Field(
            description="auto: ks and chi_square up to 1,000 reference rows, then wasserstein and "
            "jensen_shannon."
        ),
    ] = "auto",
    alpha: Annotated[
        float, Field(gt=0, lt=1, description="Error rate of tests with p values.")
    ] = 0.05,
    correction: Annotated[
        Correction,
        Field(description="For many columns."),
    ] = "benjamini_hochberg",
    share_threshold: Annotated[
        float,
        Field(gt=0, le=1, description="Share of drifted columns that makes the whole drift."),
    ] = 0.5,
    together: Annotated[
        Literal["domain_classifier", "mmd", "pca"] | None,
        Field(description="Test all columns together too: sees changed correlations."),
    ] = None,
    with_plot: Annotated[bool, Field(description="Add a picture of the drifted columns.")] = False,
) -> Annotated[CallToolResult, DriftReport]:
    """Compare two samples column by column and say which columns drifted, and how much.

    Decides for the data set too, with its reason. A rise in missing values is reported, not
    tested. It does not say whether the model suffers: measure that when labels arrive.
    """
    report, pictures = await monitoring.drift(
        reference,
        current,
        columns=columns,
        test=test,
        alpha=alpha,
        correction=correction,
        share_threshold=share_threshold,
        together=together,
        with_plot=with_plot,
    )
    return with_pictures(report, *pictures)


@tool(title="Get health", reads_only=True)
async def health_get(
    monitoring: Monitoring,
    detail: Annotated[
        Literal["concise", "detailed"],
        Field(description="concise probes what is in use; detailed opens and probes all."),
    ] = "concise",
) -> HealthReport:
    """Say whether services, stores and worker work, with the reason where one does not.

    What has not been probed is reported as unknown, never as healthy.
    """
    return await monitoring.health(detail)
