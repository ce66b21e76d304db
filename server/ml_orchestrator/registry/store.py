"""What we ask of the system that records versions and aliases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ml_orchestrator.registry.alias_table import AliasState
from ml_orchestrator.registry.models import ModelSummary, ModelVersion

__all__ = ["DIGEST_TAG", "ENVIRONMENT_TAG", "SIGNATURE_TAG", "RegistryStore"]

DIGEST_TAG = "ml_orchestrator.manifest_sha256"
SIGNATURE_TAG = "ml_orchestrator.signature"
ENVIRONMENT_TAG = "ml_orchestrator.environment"  # a mirror of the aliases; the aliases decide


class RegistryStore(Protocol):
    """Versions and aliases of models. Thread-safe; aliases are last-writer-wins.

    Every method raises NotFoundError for an unknown model or version, naming what is known,
    and UnavailableError when the system behind it cannot answer.
    """

    def register(self, model: str, *, source_uri: str, run_id: str, tags: Mapping[str, str]) -> int:
        """Return the version made from ``run_id``, registering it unless that was done."""

    def models(
        self, *, limit: int, cursor: str | None
    ) -> tuple[tuple[ModelSummary, ...], str | None]:
        """Return one page of models in order of name, and the cursor of the next page."""

    def model(self, name: str) -> ModelSummary:
        """Return one model and its aliases."""

    def versions(
        self, model: str, *, limit: int, cursor: str | None
    ) -> tuple[tuple[ModelVersion, ...], str | None]:
        """Return one page of versions, newest first, and the cursor of the next page."""

    def version(self, model: str, version: int) -> ModelVersion:
        """Return one version."""

    def manifest_digest(self, model: str, version: int) -> str | None:
        """Return the digest that one version is tagged with, in a single question."""

    def alias_version(self, model: str, alias: str) -> int | None:
        """Return where ``alias`` points; None if it is unset."""

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Point ``alias`` to ``version``, whatever it pointed to before."""

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove ``alias``; it need not exist."""

    def alias_state(self, model: str, alias: str, *, after: int) -> AliasState:
        """Return where ``alias`` points and its events later than ``after``, in one snapshot.

        Where the system behind keeps no log of aliases there are never events.
        """

    def aliases_with_events(self) -> frozenset[tuple[str, str]]:
        """Return model and alias of everything that has an event."""

    def move_alias(
        self,
        model: str,
        alias: str,
        *,
        from_version: int | None,
        to_version: int | None,
        move_id: str,
    ) -> bool:
        """Move ``alias`` if it points to ``from_version``, and say whether it does now.

        Atomic against every client where the system behind can tell; elsewhere the alias is read
        before and after, and a client that writes in between is found by the second look.

        Args:
            model: Name of the registered model.
            alias: The alias.
            from_version: Where it must point; None: it must be unset.
            to_version: Where to; None removes it.
            move_id: Carried by the event of this move.
        """

    def set_version_tag(self, model: str, version: int, key: str, value: str) -> None:
        """Set one tag of a version."""

    def download(self, model: str, version: int, destination: Path) -> Path:
        """Copy the files of a version into ``destination``, made private, and return it.

        Raises:
            IntegrityViolationError: the files lie outside the artifact root, or are links.
        """
