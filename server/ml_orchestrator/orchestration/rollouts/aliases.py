"""Alias moves of roll-outs through the registry's one mover."""

from typing import Literal

from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.serving.rollout.actions import Rollout

__all__ = ["RegistryAliases"]


class RegistryAliases:
    """An ``AliasPort`` on the registry; the mover keeps its rules, history and keys."""

    def __init__(self, desk: RegistryDesk) -> None:
        self._desk = desk

    def verify(self, model: str, version: int) -> str | None:
        """Return what is wrong with a version's files; None if nothing is."""
        report = self._desk.vault.verify(model, version)
        failed = [f"{check.name}: {check.detail}" for check in report.checks if not check.ok]
        return "; ".join(failed) or None

    def version(self, model: str, alias: str) -> int | None:
        """Return where the alias points."""
        return self._desk.store.alias_version(model, alias)

    def move(
        self,
        rollout: Rollout,
        *,
        to: int | None,
        expected: int | None,
        reason: str,
        way: Literal["forward", "back"],
    ) -> None:
        """Move the alias; the same roll-out and way again changes nothing."""
        self._desk.mover.move(
            MoveRequest(
                model=rollout.model,
                alias=rollout.alias,
                version=to,
                expected_version=expected,
                actor=rollout.actor,
                reason=reason[:4_000],
                idempotency_key=f"{rollout.id}-{way}",
            )
        )
