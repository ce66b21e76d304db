"""The rules of aliases, and plans of moves. Pure: nothing here touches a store."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import ConflictError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.registry.models import Check, ModelVersion, MovePlan, VerifyReport
from ml_orchestrator.registry.policies import AliasPolicy

__all__ = ["ALIAS_RULES", "Move", "failed_checks", "plan_move", "require_expected"]


@dataclass(frozen=True, slots=True)
class Move:
    """All that the rules may look at.

    Attributes:
        target: The version the alias would point to; None removes the alias.
        verification: Integrity of ``target``; None if it was not looked at.
        held_aliases: Aliases that ``target`` has now or had, according to the history, but for
            those that were rolled back from it.
        policy: What a move of this alias needs.
        actor: Who moves it.
        is_rollback: Whether it goes back to where the alias pointed before its last move, and
            that was not a rollback itself.
        is_way_back: Whether a roll-out takes back what it did itself.
        is_override: Whether a person is to let rules go; then one must approve whatever is planned.
        last_moved_at: When the alias was moved last; None if never.
        now: The time, UTC.
    """

    model: str
    alias: str
    current_version: int | None
    target: ModelVersion | None
    verification: VerifyReport | None
    held_aliases: frozenset[str]
    policy: AliasPolicy
    actor: str
    is_rollback: bool
    last_moved_at: datetime | None
    now: datetime
    is_way_back: bool = False
    is_override: bool = False

    @property
    def to_version(self) -> int | None:
        """The version the alias would point to."""
        return None if self.target is None else self.target.version


AliasRule = Callable[[Move], tuple[bool, str]]
ALIAS_RULES: Catalog[AliasRule] = Catalog("alias rule")
# A person may let the others go; nobody points an alias at what is not intact or not there.
_ALWAYS_HOLD = frozenset({"changes_something", "is_ready", "is_verified"})


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
        to_version=move.to_version,
    )
    gates = tuple(_check(name, move) for name in move.policy.all_gates)
    checks = (*gates, *_who_may(move), *_cool_down(move))
    needs_approval = move.is_override or move.policy.needs_approval(
        is_rollback=move.is_rollback, is_removal=move.target is None and not move.is_way_back
    )
    content = {
        "model": move.model,
        "alias": move.alias,
        "from_version": move.current_version,
        "to_version": move.to_version,
        "checks": [check.model_dump() for check in checks],
        "is_rollback": move.is_rollback,
        "needs_approval": needs_approval,
        "manifest_digest": move.verification and move.verification.manifest_digest,
        **({"is_override": True} if move.is_override else {}),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return MovePlan(
        model=move.model,
        alias=move.alias,
        from_version=move.current_version,
        to_version=move.to_version,
        checks=checks,
        allowed=all(check.ok for check in checks),
        is_rollback=move.is_rollback,
        needs_approval=needs_approval,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def require_expected(
    model: str,
    alias: str,
    *,
    current_version: int | None,
    expected_version: int | None,
    to_version: int | str | None,
) -> None:
    """Raise ConflictError, naming the real version, unless the alias is where it is expected."""
    if expected_version == current_version:
        return
    if to_version is not None and to_version == current_version:
        raise ConflictError(
            f"@{alias} of {model!r} {_describe(current_version)} already; there is nothing to do."
        )
    raise ConflictError(
        f"@{alias} of {model!r} {_describe(current_version)}, not as expected "
        f"({_describe(expected_version)}). Nothing was changed; look at it again and pass "
        "the version it points to now as expected_version."
    )


def failed_checks(plan: MovePlan, *, is_override: bool = False) -> list[Check]:
    """Return the rules that forbid a move; with ``is_override``, those that nobody may let go.

    >>> check = Check(name="was_tried", ok=False, detail="never")
    >>> plan = MovePlan(
    ...     model="m", alias="production", from_version=1, to_version=2, checks=(check,),
    ...     allowed=False, digest="",
    ... )
    >>> [[c.name for c in failed_checks(plan, is_override=it_is)] for it_is in (False, True)]
    [['was_tried'], []]
    """
    left = _ALWAYS_HOLD if is_override else {check.name for check in plan.checks}
    return [check for check in plan.checks if not check.ok and check.name in left]


def _describe(version: int | None) -> str:
    return "is unset" if version is None else f"points to version {version}"


def _check(name: str, move: Move) -> Check:
    ok, detail = ALIAS_RULES[name](move)
    return Check(name=name, ok=ok, detail=detail)


def _who_may(move: Move) -> tuple[Check, ...]:
    """Look at who moves it, if the policy names agents."""
    if move.policy.agents is None:
        return ()
    holders = ", ".join(move.policy.agents) or "nobody"
    is_named = move.actor in map(canonical_agent, move.policy.agents)
    return (Check(name="actor_may", ok=is_named, detail=f"may move @{move.alias}: {holders}"),)


def _cool_down(move: Move) -> tuple[Check, ...]:
    """Look at the time since the last move, if the policy asks for a pause.

    What it says does not change while it holds, so that a plan keeps its digest.
    """
    pause = timedelta(seconds=move.policy.cool_down_s)
    if not pause:
        return ()
    if move.is_rollback or move.last_moved_at is None:
        return (Check(name="cool_down", ok=True, detail="a rollback or first move need not wait"),)
    until = move.last_moved_at + pause
    if move.now < until:
        detail = f"it was moved less than {move.policy.cool_down_s:g} s ago; wait until {until}"
        return (Check(name="cool_down", ok=False, detail=detail),)
    detail = f"at least {move.policy.cool_down_s:g} s since its last move"
    return (Check(name="cool_down", ok=True, detail=detail),)


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


@ALIAS_RULES.register("was_tried")
def was_tried(move: Move) -> tuple[bool, str]:
    """The target stood as champion, as challenger or in staging, and was not rolled back there."""
    return _has_held(move, "champion", "challenger", "staging")


@ALIAS_RULES.register("was_dev")
def was_dev(move: Move) -> tuple[bool, str]:
    """The target has been in the environment dev, and was not rolled back there."""
    return _has_held(move, "dev")


@ALIAS_RULES.register("was_staging")
def was_staging(move: Move) -> tuple[bool, str]:
    """The target has been in the environment staging, and was not rolled back there."""
    return _has_held(move, "staging")


def _has_held(move: Move, *aliases: str) -> tuple[bool, str]:
    if move.target is None:
        return True, "the alias is removed"
    held = [f"@{name}" for name in aliases if name in move.held_aliases]
    if not held:
        wanted = " or ".join(f"@{name}" for name in aliases)
        return False, (
            f"version {move.to_version} was never {wanted}, or was rolled back there; try it there "
            "first"
        )
    return True, f"version {move.to_version} is or was {' and '.join(held)}"
