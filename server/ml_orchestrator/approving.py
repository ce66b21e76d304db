"""What persons decide in a terminal: ``ml-orchestrator approvals``, ``approve``, ``override``."""

import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import anyio

from ml_orchestrator.app import build_services
from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.identity import is_agents_shell, person
from ml_orchestrator.program import program
from ml_orchestrator.registry.models import Approval, MovePlan, MoveResult
from ml_orchestrator.settings import Settings

__all__ = ["decide", "list_approvals", "override", "require_person"]

MAX_ACTOR = 64
WORDS = {"approved": "Approve", "rejected": "Reject"}


def list_approvals(settings: Settings, *, everything: bool) -> int:
    """Print what waits for a person, or every approval with what became of it."""
    security = build_services(settings).security
    found = anyio.run(security.approvals if everything else security.pending_approvals)
    for approval in found:
        print(_describe(approval))
    if not found:
        print("Nothing waits for approval.")
    return 0


def decide(
    settings: Settings,
    approval_id: str,
    verdict: Literal["approved", "rejected"],
    *,
    reason: str | None,
) -> int:
    """Show one plan, ask the person at the terminal, and write down what they decided.

    Raises:
        PermissionDeniedError: no person is at a terminal.
        NotFoundError: no approval has this id.
        ConflictError: it is decided, used or expired already.
    """
    require_person(is_terminal=sys.stdin.isatty(), environ=os.environ)
    security = build_services(settings).security
    print(_describe(anyio.run(security.find_approval, approval_id)))
    if not _says_yes(f"{WORDS[verdict]} exactly this plan?"):
        print("Nothing was decided.")
        return 1

    async def act() -> Approval:
        return await security.decide(
            approval_id, verdict, decided_by=person(), via="terminal", reason=reason
        )

    print(f"{approval_id} is {anyio.run(act).state}.")
    return 0


def override(
    settings: Settings,
    model: str,
    alias: str,
    version: int,
    *,
    expected: int | None,
    reason: str,
) -> int:
    """Show which rules a move breaks, ask the person at the terminal, and carry it out.

    Rules of integrity are not among those that a person may let go.

    Raises:
        PermissionDeniedError: no person is at a terminal.
        ConflictError: every rule holds, or the alias is not where it is expected.
        IntegrityViolationError: the version is not what was registered.
        NotFoundError: there is no such model or version.
    """
    require_person(is_terminal=sys.stdin.isatty(), environ=os.environ)
    services, name = build_services(settings), person()
    asked: dict[str, Any] = {
        "model": model,
        "alias": alias,
        "version": version,
        "expected_version": expected,
        "actor": name[:MAX_ACTOR],
        "reason": reason,
        "is_override": True,
    }

    async def act() -> MoveResult:
        wanted = await services.deployment.ask_approval(**asked)
        if wanted is not None and wanted.state == "pending":
            await services.security.decide(
                wanted.id, "approved", decided_by=name, via="terminal", reason=reason
            )
        return await services.deployment.move_alias(**asked)

    print(_plan(anyio.run(partial(services.deployment.move_alias, **asked, dry_run=True)).plan))
    if not _says_yes("Move it all the same?"):
        print("Nothing was moved.")
        return 1
    move = anyio.run(act).move
    assert move is not None  # it was no dry run
    print(f"@{alias} of {model} points to version {version}; let go: {', '.join(move.overrides)}.")
    return 0


def require_person(*, is_terminal: bool, environ: Mapping[str, str]) -> None:
    """Refuse where an agent's shell runs us; a program of the same user could still pretend.

    Raises:
        PermissionDeniedError: standard input is no terminal, or the shell is an agent's.
    """
    if not is_terminal or is_agents_shell(environ):
        raise PermissionDeniedError(
            f"An approval is given by a person: run `{program()} approve ID` yourself, in a "
            "terminal of your own, not through an agent, a script or a pipe: standard input here "
            + ("is an agent's." if is_terminal else "is no terminal.")
        )


def _says_yes(question: str) -> bool:
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _plan(plan: MovePlan) -> str:
    old = "unset" if plan.from_version is None else f"version {plan.from_version}"
    lines = [f"@{plan.alias} of {plan.model} from {old} to version {plan.to_version}, although:"]
    lines += [f"  {check.name}: {check.detail}" for check in plan.checks if not check.ok]
    return _plain(lines)


def _plain(lines: list[str]) -> str:
    """Return lines as text without what could move a terminal's cursor."""
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def _describe(approval: Approval) -> str:
    """Return what a terminal may show; text of others cannot move its cursor."""
    lines = [
        f"{approval.id}  {approval.state}  {approval.subject}  (plan {approval.digest[:12]})",
        f"  asked by {approval.requested_by} at {approval.requested_at:%Y-%m-%d %H:%M} UTC, "
        f"until {approval.expires_at:%Y-%m-%d %H:%M} UTC",
        f"  {approval.summary}",
    ]
    if approval.decided_by:
        why = f": {approval.reason}" if approval.reason else ""
        lines.append(f"  {approval.state} by {approval.decided_by} ({approval.decided_via}){why}")
    return _plain(lines)
