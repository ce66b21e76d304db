"""What the registry answers: versions, alias moves, plans and verifications."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "AliasHistory",
    "AliasMove",
    "Approval",
    "Check",
    "ModelSummary",
    "ModelVersion",
    "MovePlan",
    "MoveResult",
    "MoveState",
    "ReconcileReport",
    "RegistryPage",
    "VerifyReport",
]

MoveState = Literal["intended", "applied", "abandoned", "observed"]


class Approval(Record):
    """What a person was asked to approve, and what they said."""

    id: Annotated[str, Field(description="Identifier; `ml-orchestrator approve ID` decides it.")]
    subject: Annotated[str, Field(description="What is changed.")]
    digest: Annotated[str, Field(description="Digest of the plan it is bound to.")]
    summary: Annotated[str, Field(description="What the person reads; data, not advice.")]
    requested_by: Annotated[str, Field(description="The agent that asked.")]
    requested_at: Annotated[datetime, Field(description="When it was asked for, UTC.")]
    expires_at: Annotated[datetime, Field(description="Until when it can be used, UTC.")]
    state: Annotated[
        Literal["pending", "approved", "rejected", "used", "expired"],
        Field(description="pending until a person decides; used once it was spent."),
    ]
    decided_by: Annotated[str | None, Field(description="The person; null while pending.")]
    decided_via: Annotated[
        Literal["terminal", "elicitation"] | None, Field(description="How they were asked.")
    ]
    decided_at: Annotated[datetime | None, Field(description="When they decided, UTC.")]
    reason: Annotated[str | None, Field(description="Why, in the person's words.")]


class Check(Record):
    """One rule that was looked at, and what was found."""

    name: Annotated[str, Field(description="Name of the rule.")]
    ok: Annotated[bool, Field(description="Whether the rule holds.")]
    detail: Annotated[str, Field(description="What was found.")]


class ModelVersion(Record):
    """One registered version of a model."""

    model: Annotated[str, Field(description="Name of the registered model.")]
    version: Annotated[int, Field(description="Number of the version, from 1.")]
    run_id: Annotated[str | None, Field(description="MLflow run that made it.")]
    created_at: Annotated[datetime, Field(description="When it was registered, UTC.")]
    aliases: Annotated[tuple[str, ...], Field(description="Aliases that point to it now.")]
    tags: Annotated[dict[str, str], Field(description="Tags of the version; data, not advice.")]
    metrics: Annotated[dict[str, float], Field(description="Last metrics of its run.")]
    status: Annotated[str, Field(description="READY once it can be used.")]
    manifest_digest: Annotated[
        str | None,
        Field(
            description="SHA-256 of its integrity manifest; null if it was registered elsewhere."
        ),
    ]
    warnings: Annotated[
        tuple[str, ...], Field(description="Columns that may leak the target, by its training.")
    ] = ()


class ModelSummary(Record):
    """A registered model and where its aliases point."""

    model: Annotated[str, Field(description="Name of the registered model.")]
    latest_version: Annotated[int | None, Field(description="Highest version; null without any.")]
    aliases: Annotated[dict[str, int], Field(description="Version of each alias.")]
    created_at: Annotated[datetime, Field(description="When it was created, UTC.")]
    updated_at: Annotated[datetime, Field(description="When it last changed, UTC.")]


class AliasMove(Record):
    """One entry of an alias's append-only history."""

    id: Annotated[str, Field(description="Identifier of the move.")]
    model: Annotated[str, Field(description="Name of the registered model.")]
    alias: Annotated[str, Field(description="The alias, without @.")]
    from_version: Annotated[int | None, Field(description="Version before; null when unset.")]
    to_version: Annotated[int | None, Field(description="Version after; null when removed.")]
    actor: Annotated[str, Field(description="Who moved it.")]
    reason: Annotated[str, Field(description="Why, in the actor's words.")]
    evidence: Annotated[str | None, Field(description="What supports the move.")]
    state: Annotated[
        MoveState,
        Field(description="applied; observed (another client did it); abandoned; intended."),
    ]
    at: Annotated[datetime, Field(description="When it was begun or seen, UTC.")]
    approved_by: Annotated[
        str | None, Field(description="Person who approved it; null if none was needed.")
    ] = None
    overrides: Annotated[
        tuple[str, ...], Field(description="Rules that did not hold and that person let go.")
    ] = ()


class RegistryPage(Record):
    """One page of models, or of the versions of one model, newest first."""

    models: Annotated[tuple[ModelSummary, ...], Field(description="Registered models.")]
    versions: Annotated[
        tuple[ModelVersion, ...],
        Field(description="Versions, newest first; empty unless a model was named."),
    ]
    moves: Annotated[
        tuple[AliasMove, ...],
        Field(description="Last alias moves, newest first; empty unless a model was named."),
    ]
    policies: Annotated[
        dict[str, str],
        Field(description="What a move of each alias needs; empty unless a model was named."),
    ] = {}
    next_cursor: Annotated[str | None, Field(description="Pass it to get the next page.")]


class AliasHistory(Record):
    """The moves of one alias, newest first."""

    model: Annotated[str, Field(description="Name of the registered model.")]
    alias: Annotated[str, Field(description="The alias, without @.")]
    current_version: Annotated[int | None, Field(description="Where it points now.")]
    previous_version: Annotated[
        int | None,
        Field(description="Where 'previous' would take it; null: unset, or not on record."),
    ]
    moves: Annotated[tuple[AliasMove, ...], Field(description="Moves, newest first.")]


class MovePlan(Record):
    """What a move would do and whether the rules of its alias allow it."""

    model: Annotated[str, Field(description="Name of the registered model.")]
    alias: Annotated[str, Field(description="The alias, without @.")]
    from_version: Annotated[int | None, Field(description="Version now; null when unset.")]
    to_version: Annotated[int | None, Field(description="Version after; null to remove it.")]
    checks: Annotated[tuple[Check, ...], Field(description="Every rule that was looked at.")]
    allowed: Annotated[bool, Field(description="Whether every rule holds.")]
    digest: Annotated[str, Field(description="SHA-256 of this plan; pass it back to carry it out.")]
    is_rollback: Annotated[
        bool, Field(description="Whether it undoes the last move of the alias.")
    ] = False
    needs_approval: Annotated[
        bool, Field(description="Whether a person must approve exactly this plan first.")
    ] = False


class MoveResult(Record):
    """A plan and, unless it was a dry run, the move that carried it out."""

    plan: Annotated[MovePlan, Field(description="The plan.")]
    move: Annotated[AliasMove | None, Field(description="The move; null for a dry run.")]
    previous_version: Annotated[
        int | None, Field(description="Version the alias pointed to before; null when unset.")
    ]
    approval: Annotated[
        Approval | None,
        Field(description="Of a dry run that needs a person: asked for now; else null."),
    ] = None


class VerifyReport(Record):
    """Whether a version is byte for byte what was registered, and safe to load."""

    model: Annotated[str, Field(description="Name of the registered model.")]
    version: Annotated[int, Field(description="Number of the version.")]
    ok: Annotated[bool, Field(description="Whether every check holds.")]
    checks: Annotated[tuple[Check, ...], Field(description="Every check, in order.")]
    manifest_digest: Annotated[
        str | None, Field(description="SHA-256 of the recorded manifest; null without one.")
    ]
    n_files: Annotated[int, Field(description="Files of the version found in the store.")]
    size_bytes: Annotated[int, Field(description="Their total size in bytes.")]


class ReconcileReport(Record):
    """What was left behind by a crash or done by others, and is now in the history."""

    applied: Annotated[tuple[AliasMove, ...], Field(description="Intents that had taken effect.")]
    abandoned: Annotated[tuple[AliasMove, ...], Field(description="Intents that had not.")]
    observed: Annotated[tuple[AliasMove, ...], Field(description="Moves by other MLflow clients.")]
