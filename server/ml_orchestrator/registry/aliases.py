"""The rules of aliases, and plans of moves. Pure: nothing here touches a store."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import ConflictError
from ml_orchestrator.registry.models import Check, ModelVersion, MovePlan, VerifyReport

__all__ = ["ALIAS_RULES", "Move", "plan_move", "policy_of", "require_expected"]


@dataclass(frozen=True, slots=True)
class Move:
    """All that the rules may look at.

    Attributes:
        target: The version the alias would point to; None removes the alias.
        verification: Integrity of ``target``; None if it was not looked at.
        held_aliases: Aliases that ``target`` has now or had, according to the history.
    """

    model: str
    alias: str
    current_version: int | None
    target: ModelVersion | None
    verification: VerifyReport | None
    held_aliases: frozenset[str]

    @property
    def to_version(self) -> int | None:
        """The version the alias would point to."""
        return None if self.target is None else self.target.version


AliasRule = Callable[[Move], tuple[bool, str]]
ALIAS_RULES: Catalog[AliasRule] = Catalog("alias rule")

_GENERAL = ("changes_something", "is_ready")
_POLICIES = {
    "challenger": (*_GENERAL, "is_verified", "is_not_champion"),
    "champion": (*_GENERAL, "is_verified"),
    "production": (*_GENERAL, "is_verified", "was_champion_or_challenger"),
}


def policy_of(alias: str) -> tuple[str, ...]:
    """Return the names of the rules that a move of ``alias`` must keep."""
    return _POLICIES.get(alias, _GENERAL)


def plan_move(move: Move, *, expected_version: int | None) -> MovePlan:
    """Return what ``move`` would do, with every rule of its alias looked at.

    Args:
        move: The move and what is known about it.
        expected_version: Where the caller believes the alias points; None means unset.

    Raises:
        ConflictError: the alias points elsewhere; the message names the real version.
    """
    require_expected(
        move.model,
        move.alias,
        current_version=move.current_version,
        expected_version=expected_version,
    )
    checks = tuple(_check(name, move) for name in policy_of(move.alias))
    content = {
        "model": move.model,
        "alias": move.alias,
        "from_version": move.current_version,
        "to_version": move.to_version,
        "checks": [check.model_dump() for check in checks],
        "manifest_digest": move.verification and move.verification.manifest_digest,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return MovePlan(
        model=move.model,
        alias=move.alias,
        from_version=move.current_version,
        to_version=move.to_version,
        checks=checks,
        allowed=all(check.ok for check in checks),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def require_expected(
    model: str, alias: str, *, current_version: int | None, expected_version: int | None
) -> None:
    """Raise ConflictError, naming the real version, unless the alias is where it is expected."""
    if expected_version != current_version:
        raise ConflictError(
            f"@{alias} of {model!r} {_describe(current_version)}, not as expected "
            f"({_describe(expected_version)}). Nothing was changed; look at it again and pass "
            "the version it points to now as expected_version."
        )


def _describe(version: int | None) -> str:
    return "is unset" if version is None else f"points to version {version}"


def _check(name: str, move: Move) -> Check:
    ok, detail = ALIAS_RULES[name](move)
    return Check(name=name, ok=ok, detail=detail)


@ALIAS_RULES.register("changes_something")
def changes_something(move: Move) -> tuple[bool, str]:
    """The alias does not already point to the target."""
    now = _describe(move.current_version)
    if move.current_version == move.to_version:
        return False, f"the alias already {now}"
    return True, f"the alias {now}"


@ALIAS_RULES.register("is_ready")
def is_ready(move: Move) -> tuple[bool, str]:
    """MLflow has finished registering the target."""
    if move.target is None:
        return True, "the alias is removed"
    return move.target.status == "READY", f"version {move.to_version} is {move.target.status}"


@ALIAS_RULES.register("is_verified")
def is_verified(move: Move) -> tuple[bool, str]:
    """The target is byte for byte what was registered, and safe to load."""
    if move.target is None:
        return True, "the alias is removed"
    if move.verification is None:
        return False, f"version {move.to_version} was not verified"
    failed = [f"{c.name}: {c.detail}" for c in move.verification.checks if not c.ok]
    return move.verification.ok, "; ".join(failed) or f"version {move.to_version} is intact"


@ALIAS_RULES.register("is_not_champion")
def is_not_champion(move: Move) -> tuple[bool, str]:
    """The target does not challenge itself."""
    if move.target is not None and "champion" in move.target.aliases:
        return False, f"version {move.to_version} is @champion already"
    return True, "the target is not @champion"


@ALIAS_RULES.register("was_champion_or_challenger")
def was_champion_or_challenger(move: Move) -> tuple[bool, str]:
    """The target has stood as champion or challenger, on record."""
    if move.target is None:
        return True, "the alias is removed"
    held = sorted(move.held_aliases & {"champion", "challenger"})
    if not held:
        return False, (
            f"version {move.to_version} was never @champion or @challenger; try it there first"
        )
    return True, f"version {move.to_version} is or was {' and '.join('@' + name for name in held)}"
