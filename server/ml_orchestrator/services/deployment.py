"""Versions, aliases and predictions: registering, moving, verifying and answering."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio.to_thread

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.registry.models import (
    AliasHistory,
    Approval,
    ModelVersion,
    MoveResult,
    ReconcileReport,
    RegistryPage,
    VerifyReport,
)
from ml_orchestrator.serving.models import PredictionSet
from ml_orchestrator.serving.refusals import status_of
from ml_orchestrator.telemetry.measures import count_predictions
from ml_orchestrator.telemetry.spans import traced

if TYPE_CHECKING:  # heavy: opened by the doors
    from ml_orchestrator.registry.desk import RegistryDesk
    from ml_orchestrator.registry.moves import MoveRequest
    from ml_orchestrator.serving.cache import ModelCache
    from ml_orchestrator.serving.loader import LoadedModel
    from ml_orchestrator.serving.predict import Answers

__all__ = ["DeploymentPipelineService"]

LISTED_MOVES = 20


class Answerer(Protocol):
    """``serving.predict.predict``."""

    def __call__(self, model: "LoadedModel", rows: Sequence[Mapping[str, Any]]) -> "Answers":
        """Return what a loaded model says about ``rows``."""


@traced
class DeploymentPipelineService:
    """Moves aliases by compare-and-set with history, and loads only what was verified.

    Args of the constructor are doors, so nothing heavy is imported before the first call:
        registry: Opens the registry.
        make_request: Opens ``registry.moves.MoveRequest``, which checks what is asked.
        answer: Opens ``serving.predict.predict``.
        models: Opens the verified models held in memory.
    """

    def __init__(
        self,
        registry: "Callable[[], RegistryDesk]",
        *,
        make_request: "Callable[[], type[MoveRequest]]",
        answer: Callable[[], Answerer],
        models: "Callable[[], ModelCache]",
    ) -> None:
        self._registry = registry
        self._make_request = make_request
        self._answer = answer
        self._models = models

    async def list_models(
        self, model: str | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> RegistryPage:
        """Return one page of models, or of the versions of ``model``, newest first."""
        return await anyio.to_thread.run_sync(lambda: self._list(model, limit, cursor))

    async def register_model(
        self, model: str, *, source_uri: str, run_id: str, tags: Mapping[str, str]
    ) -> ModelVersion:
        """Register the model of a run with its manifest; done twice, it changes nothing."""
        return await anyio.to_thread.run_sync(
            lambda: self.register_model_sync(model, source_uri=source_uri, run_id=run_id, tags=tags)
        )

    def register_model_sync(
        self, model: str, *, source_uri: str, run_id: str, tags: Mapping[str, str]
    ) -> ModelVersion:
        """``register_model`` for a step that runs in a worker."""
        vault = self._registry().vault
        return vault.register(model, source_uri=source_uri, run_id=run_id, tags=tags)

    async def move_alias(
        self,
        model: str,
        alias: str,
        version: int | Literal["previous"] | None,
        *,
        expected_version: int | None,
        actor: str,
        reason: str,
        evidence: str | None = None,
        dry_run: bool = False,
        plan_digest: str | None = None,
        idempotency_key: str | None = None,
        is_override: bool = False,
    ) -> MoveResult:
        """Move ``alias`` if it points to ``expected_version`` and its rules allow it.

        Args:
            model: Name of the registered model.
            alias: The alias, without @.
            version: Where to; "previous" rolls back, None removes the alias.
            expected_version: Where the caller believes it points; None means unset.
            actor: Who moves it.
            reason: Why.
            evidence: What supports the move.
            dry_run: Return the plan and change nothing.
            plan_digest: Digest of a dry run; the move happens only if the plan is still the same.
            idempotency_key: Makes a retry return the first move.
            is_override: Whether a person, who must approve it, lets rules go; no tool says so.

        Raises:
            ConflictError: the alias, the plan or the key is not as expected.
            IntegrityViolationError: the version is not what was registered.
            ApprovalRequiredError: a person must approve the plan; the message names how.
            PermissionDeniedError: the policy of the alias forbids the move.
            NotFoundError: no such model, version or previous version.
        """

        def act() -> MoveResult:
            request = self._make_request()(
                model=model,
                alias=alias,
                version=version,
                expected_version=expected_version,
                actor=actor,
                reason=reason,
                evidence=evidence,
                plan_digest=plan_digest,
                idempotency_key=idempotency_key,
                is_override=is_override,
            )
            mover = self._registry().mover
            return mover.plan(request) if dry_run else mover.move(request)

        return await anyio.to_thread.run_sync(act)

    async def ask_approval(self, *, actor: str, **asked: Any) -> Approval | None:
        """Return the approval that such a move needs, asked for now unless it was; None if none.

        Args:
            actor: Who moves the alias.
            asked: The other fields of ``MoveRequest``.

        Raises what ``move_alias`` raises for a plan that is not allowed anyway.
        """

        def act() -> Approval | None:
            return self._registry().mover.ask_approval(self._make_request()(actor=actor, **asked))

        return await anyio.to_thread.run_sync(act)

    async def verify(self, model: str, version: int | str) -> VerifyReport:
        """Check a version, given by number or alias, against its manifest."""

        def act() -> VerifyReport:
            desk = self._registry()
            return desk.vault.verify(model, desk.resolve(model, version))

        return await anyio.to_thread.run_sync(act)

    async def predict(
        self, model: str, version: int | str, rows: Sequence[Mapping[str, Any]]
    ) -> PredictionSet:
        """Return what a version, given by number or alias, says about ``rows``.

        Raises:
            IntegrityViolationError: the version is not what was registered, or unsafe to load.
            InvalidInputError: a row does not fit the model's columns.
        """
        return await anyio.to_thread.run_sync(lambda: self._predict(model, version, rows))

    async def history(self, model: str, alias: str, *, limit: int = 50) -> AliasHistory:
        """Return the moves of one alias, newest first."""
        return await anyio.to_thread.run_sync(
            lambda: self._registry().mover.history(model, alias, limit=limit)
        )

    async def reconcile(self) -> ReconcileReport:
        """Settle moves that a crash left open and enter moves of other MLflow clients."""

        def act() -> ReconcileReport:
            return self._registry().mover.reconcile()

        return await anyio.to_thread.run_sync(act)

    def _list(self, model: str | None, limit: int, cursor: str | None) -> RegistryPage:
        desk = self._registry()
        store = desk.store
        if model is None:
            models, following = store.models(limit=limit, cursor=cursor)
            return RegistryPage(models=models, versions=(), moves=(), next_cursor=following)
        versions, following = store.versions(model, limit=limit, cursor=cursor)
        moves = desk.mover.moves_of(model, limit=LISTED_MOVES)
        summary = store.model(model)
        return RegistryPage(
            models=(summary,),
            versions=versions,
            moves=moves,
            policies=desk.describe_policies(model, summary.aliases),
            next_cursor=following,
        )

    def _predict(
        self, model: str, version: int | str, rows: Sequence[Mapping[str, Any]]
    ) -> PredictionSet:
        desk = self._registry()
        number = desk.resolve(model, version)
        began_at, code = time.perf_counter(), 500
        try:
            digest = desk.store.manifest_digest(model, number)
            checkout = partial(desk.vault.checkout, model, number)
            held = self._models().get(model, number, digest, checkout)
            answers = self._answer()(held.model, rows)
            code = 200
        except OrchestratorError as error:
            code = status_of(error)
            raise
        finally:
            took_s = time.perf_counter() - began_at
            n_rows = len(rows) if code == 200 else 0
            count_predictions(took_s, model=model, version=number, n_rows=n_rows, code=code)
        return PredictionSet(
            model=model,
            version=number,
            manifest_digest=held.manifest_digest,
            predictions=answers.predictions,
            probabilities=answers.probabilities,
            notices=answers.notices,
        )
