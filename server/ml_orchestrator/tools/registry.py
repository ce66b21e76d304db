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
VersionOrAlias = Annotated[
    int | str, Field(description="Version number, or an alias such as champion.")
]


@tool(title="List models", reads_only=True)
async def registry_list(
    deployment: Deployment,
    model: Annotated[
        str | None, Field(max_length=128, description="Show the versions of this model.")
    ] = None,
    limit: Page = 20,
    cursor: Cursor = None,
) -> RegistryPage:
    """List registered models, or the versions of one: aliases, metrics, when and by which run.

    With a model given: its last alias moves (who, when, why) and what each alias's move needs.
    """
    return await deployment.list_models(model, limit=limit, cursor=cursor)


@tool(title="Move an alias", destroys=True)
async def registry_move_alias(
    agent: Agent,
    model: ModelName,
    alias: Alias,
    version: Annotated[
        Version | Literal["previous"] | None,
        Field(
            description="Where it shall point; previous rolls its last move back (a first one: to "
            "unset); null removes it."
        ),
    ],
    expected_version: Annotated[
        Version | None,
        Field(
            description="Where it points now, as you saw it (null: unset); else nothing is moved."
        ),
    ],
    reason: Annotated[
        str, Field(min_length=3, max_length=2_000, description="Why; kept in the history.")
    ],
    deployment: Deployment,
    security: Security,
    approval: MoveApproval,
    verdict: MoveVerdict,
    context: Context[Services],
    evidence: Annotated[
        str | None,
        Field(max_length=4_000, description="Scores, run ids or reports for it."),
    ] = None,
    dry_run: Annotated[
        bool,
        Field(
            description="Only return the plan, its checks and digest; of previous, other clients' "
            "moves are noted first."
        ),
    ] = False,
    plan_digest: Annotated[
        str | None,
        Field(max_length=64, description="Apply exactly this reviewed plan."),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> MoveResult:
    """Move @champion, @challenger, @production, an environment (@dev, @staging) or another alias.

    Compare-and-set with the gates that registry_list shows; every move is kept. "previous" rolls
    back. @production needs a person, to unset it too: they are asked, or the error says how.
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

    Compares every file with the SHA-256 manifest made at registration, the model's description,
    and the recorded Python, platform and packages with those here (check "environment"). Each
    check says what it found. Nothing is loaded or run.
    """
    return await deployment.verify(model, version)


@tool(title="Predict", reads_only=True)
async def model_predict(
    model: ModelName,
    version: VersionOrAlias,
    rows: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, max_length=1_000, description="Raw rows: column name to value."),
    ],
    deployment: Deployment,
) -> PredictionSet:
    """Predict with a verified version, by number or alias.

    Rows are checked against the model's signature; the model is loaded only if its integrity
    holds. Meant for a look at single predictions, not for traffic.
    """
    return await deployment.predict(model, version, rows)
