"""Alias moves of roll-outs through the registry's one mover."""

from typing import TYPE_CHECKING, Literal

from ml_orchestrator.registry.requests import MoveRequest
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.text import cut

if TYPE_CHECKING:  # heavy: opened by the doors
    from ml_orchestrator.registry.desk import RegistryDesk

__all__ = ["RegistryAliases", "forward_request"]

MAX_REASON = 4_000
Way = Literal["forward", "back"]


class RegistryAliases:
    """An ``AliasPort`` on the registry; the mover keeps its rules, history and keys."""

    def __init__(self, desk: "RegistryDesk") -> None:
        self._desk = desk

    def verify(self, model: str, version: int) -> str | None:
        """Return what is wrong with a version's files; None if nothing is."""
        report = self._desk.vault.verify(model, version)
        failed = [f"{check.name}: {check.detail}" for check in report.checks if not check.ok]
        return "; ".join(failed) or None

    def version(self, model: str, alias: str) -> int | None:
        """Return where the alias points."""
        return self._desk.store.alias_version(model, alias)

    def move(self, rollout: Rollout, way: Way) -> None:
        """Move the alias to the new version or back; the same way again changes nothing."""
        request = forward_request(rollout) if way == "forward" else _request_back(rollout)
        self._desk.mover.move(request)


def forward_request(rollout: Rollout) -> MoveRequest:
    """Return the move to the new version, for the mover and for whoever has to approve it."""
    return MoveRequest(
        model=rollout.model,
        alias=rollout.alias,
        version=rollout.version,
        expected_version=rollout.from_version,
        actor=rollout.actor,
        reason=f"Roll-out {rollout.id} by {rollout.spec.strategy}.",
        idempotency_key=f"@{rollout.id}-forward",
    )


def _request_back(rollout: Rollout) -> MoveRequest:
    reason = f"Roll-out {rollout.id} went back: {rollout.progress.reason}"
    return MoveRequest(
        model=rollout.model,
        alias=rollout.alias,
        version=rollout.from_version,
        expected_version=rollout.version,
        actor=rollout.actor,
        reason=cut(reason, MAX_REASON),
        idempotency_key=f"@{rollout.id}-back",
        is_way_back=True,
    )
