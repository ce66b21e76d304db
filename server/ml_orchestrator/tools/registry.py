"""Registry tools."""

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from ml_orchestrator.registry.models import MoveResult, RegistryPage, VerifyReport
from ml_orchestrator.services import Services
from ml_orchestrator.serving.models import PredictionSet
from ml_orchestrator.tools._approvals import MoveApproval, MoveVerdict, was_asked, write_down
from ml_orchestrator.tools._arguments import Agent, Cursor, IdempotencyKey, ModelName, Page
from ml_orchestrator.tools._services import Deployment, Security
from ml_orchestrator.tools._tool import tool

__all__ = ["model_predict", "registry_list", "registry_move_alias", "registry_verify"]

Version = Annotated[int, Field(ge=1, description="Version number.")]
Alias = Annotated[str, Field(min_length=1, max_length=64, description="Alias, without the @.")]
VersionOrAlias = Annotated[int | str, Field(description="Number, or alias such as champion.")]


@tool(title="List models", reads_only=True)
async def registry_list(
    deployment: Deployment,
    model: Annotated[str | None, Field(max_length=128, description="Show its versions.")] = None,
    limit: Page = 20,
    cursor: Cursor = None,
) -> RegistryPage:
    """List registered models, or the versions of one with aliases, metrics and runs.

    Of one also alias moves, and what each move needs.
    """
    return await deployment.list_models(model, limit=limit, cursor=cursor)


@tool(title="Move an alias", destroys=True)
async def registry_move_alias(
    agent: Agent,
    model: ModelName,
    alias: Alias,
    version: Annotated[
        Version | Literal["previous"] | None,
        Field(description="Its target; previous rolls the last move back; null removes it."),
    ],
    expected_version: Annotated[
        Version | None,
        Field(description="Where it is now; null: unset."),
    ],
    reason: Annotated[str, Field(min_length=3, max_length=2_000, description="Why; kept.")],
    deployment: Deployment,
    security: Security,
    approval: MoveApproval,
    verdict: MoveVerdict,
    context: Context[Services],
    evidence: Annotated[
        str | None,
        Field(max_length=4_000, description="Scores, run ids, reports."),
    ] = None,
    dry_run: Annotated[
        bool,
        Field(description="Only return plan, checks and digest."),
    ] = False,
    plan_digest: Annotated[
        str | None,
        Field(max_length=64, description="Of the reviewed plan."),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> MoveResult:
    """Move @champion, @challenger, @production, an environment (@dev, @staging) or another alias.

    @production needs a person: they are asked, or the error says how.
    """
    if approval is not None and was_asked(verdict):
        await write_down(approval, verdict, security=security, context=context)
    return await deployment.move_alias(
        model,
        alias.removeprefix("@"),
        version,
        expected_version=expected_version,
        actor=agent,
        reason=reason,
        evidence=evidence,
        dry_run=dry_run,
        plan_digest=plan_digest,
        idempotency_key=idempotency_key,
    )


@tool(title="Verify a model", reads_only=True)
async def registry_verify(
    model: ModelName, version: VersionOrAlias, deployment: Deployment
) -> VerifyReport:
    """Check that a version is byte for byte what was registered, and safe to load.

    Also that Python and packages here fit.
    """
    return await deployment.verify(model, version)


@tool(title="Predict", reads_only=True)
async def model_predict(
    model: ModelName,
    version: VersionOrAlias,
    rows: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, max_length=1_000, description="Raw rows: column to value."),
    ],
    deployment: Deployment,
) -> PredictionSet:
    """Predict with a verified version: a look at single predictions, not for traffic."""
    return await deployment.predict(model, version, rows)
