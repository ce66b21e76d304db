"""The registry in one piece: versions, manifests and alias moves over one MLflow."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.faults import near
from ml_orchestrator.registry._mlflow import MlflowRegistry
from ml_orchestrator.registry.aliases import ALIAS_RULES
from ml_orchestrator.registry.approvals import Approvals
from ml_orchestrator.registry.environment import check_environment
from ml_orchestrator.registry.inspection import ModelPolicy
from ml_orchestrator.registry.journal import AliasJournal
from ml_orchestrator.registry.keys import Keyring
from ml_orchestrator.registry.models import AliasMove
from ml_orchestrator.registry.moves import AliasMover
from ml_orchestrator.registry.names import check_version, is_alias
from ml_orchestrator.registry.policies import PolicyBook
from ml_orchestrator.registry.store import RegistryStore
from ml_orchestrator.registry.upkeep import AliasUpkeep
from ml_orchestrator.registry.verification import ModelVault
from ml_orchestrator.storage.engine import Database

__all__ = ["RegistryDesk", "open_desk"]


@dataclass(frozen=True, slots=True)
class RegistryDesk:
    """What a service needs of the registry. Thread-safe."""

    store: RegistryStore
    vault: ModelVault
    mover: AliasMover
    policies: PolicyBook
    approvals: Approvals

    def describe(self) -> str:
        """Return what a health probe reports, after asking MLflow for it."""
        models, cursor = self.store.models(limit=10, cursor=None)
        return f"{len(models)}{' or more' if cursor else ''} models"

    def describe_policies(self, model: str, aliases: Collection[str]) -> dict[str, str]:
        """Return, in a line each, what moves of these aliases and of @production need."""
        names = sorted({*filter(is_alias, aliases), "production"})
        return {f"@{alias}": self.policies.of(model, alias).describe() for alias in names}

    def resolve(self, model: str, reference: int | str) -> int:
        """Return the version that a number or an alias (with or without @) names.

        Raises:
            NotFoundError: the alias is unset, or no name of one; the message names those that
                are set, the nearest, and what does instead.
        """
        if isinstance(reference, int):
            return check_version(reference)
        if reference.isdecimal() and reference.isascii():
            return check_version(int(reference))
        alias = reference.removeprefix("@")
        version = self.store.alias_version(model, alias) if is_alias(alias) else None
        if version is None:
            raise self._unset(model, alias)
        return version

    def _unset(self, model: str, alias: str) -> NotFoundError:
        found, asked = self.store.model(model), alias[:80]
        known = ", ".join(sorted(found.aliases))
        return NotFoundError(
            f"No alias {asked!r} on model {model!r}{near(asked, found.aliases)}; known: "
            f"{known or 'none'}. Give {'one of these or ' if known else ''}the number of a version "
            f"(newest: {found.latest_version or 'none yet'}); registry_list with model {model!r} "
            "shows all."
        )


def open_desk(
    *,
    tracking_uri: str,
    registry_uri: str,
    home: Path,
    database: Database,
    host: str,
    new_id: Callable[[], str],
    now: Callable[[], datetime],
    signing_key: Path | None = None,
    policy: ModelPolicy | None = None,
    moved: Callable[[Connection, AliasMove], None] = lambda *_: None,
) -> RegistryDesk:
    """Open the registry; the first time this creates MLflow's database and takes seconds.

    Args:
        tracking_uri: MLflow tracking address.
        registry_uri: MLflow registry address.
        home: Data directory.
        database: State database, for the history of aliases.
        host: Names this machine and data directory; movers of one host share file locks.
        new_id: Makes the identifier of a move.
        now: The time, UTC.
        signing_key: A private key kept elsewhere; one in ``home``/keys if unset.
        policy: What a model may be made of.
        moved: Told of each move in the transaction that records it.
    """
    store = MlflowRegistry(tracking_uri, registry_uri, home)
    policies = PolicyBook(home, known_gates=ALIAS_RULES)
    vault = _open_vault(store, home, policies, signing_key, policy or ModelPolicy())
    journal = AliasJournal(database, host=host, new_id=new_id, now=now, moved=moved)
    approvals = Approvals(database, new_id=new_id, now=now)
    upkeep = AliasUpkeep(store, journal, home=home, host=host, now=now)
    mover = AliasMover(
        store,
        journal,
        verify=vault.verify,
        policies=policies,
        approvals=approvals,
        upkeep=upkeep,
        now=now,
    )
    return RegistryDesk(store, vault, mover, policies, approvals)


def _open_vault(
    store: RegistryStore,
    home: Path,
    policies: PolicyBook,
    signing_key: Path | None,
    policy: ModelPolicy,
) -> ModelVault:
    return ModelVault(
        store,
        home,
        keyring=Keyring(home, signing_key=signing_key),
        policy=policy,
        check_environment=lambda copy: check_environment(copy, policies.environment),
    )
