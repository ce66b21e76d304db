"""Approvals in a terminal: ``ml-orchestrator approvals`` and ``ml-orchestrator approve ID``."""

import os
import sys
from collections.abc import Mapping
from typing import Literal

import anyio

from ml_orchestrator.app import build_services
from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.identity import person
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.settings import Settings

__all__ = ["decide", "list_approvals", "require_person"]

WORDS = {"approved": "Approve", "rejected": "Reject"}
# What Claude Code sets in the shells of its agents.
AGENT_SHELL = "CLAUDECODE"


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
    if input(f"{WORDS[verdict]} exactly this plan? [y/N] ").strip().lower() not in {"y", "yes"}:
        print("Nothing was decided.")
        return 1

    async def act() -> Approval:
        return await security.decide(
            approval_id, verdict, decided_by=person(), via="terminal", reason=reason
        )

    print(f"{approval_id} is {anyio.run(act).state}.")
    return 0


def require_person(*, is_terminal: bool, environ: Mapping[str, str]) -> None:
    """Refuse where an agent's shell runs us; a program of the same user could still pretend.

    Raises:
        PermissionDeniedError: standard input is no terminal, or the shell is an agent's.
    """
    if not is_terminal or environ.get(AGENT_SHELL):
        raise PermissionDeniedError(
            "An approval is given by a person: run `ml-orchestrator approve ID` yourself, in a "
            "terminal of your own, not through an agent."
        )


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
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
