"""Answers of hooks that depend on the hook's input alone: standard library only, Python 3.9 on.

The launcher gives them at once, before there is a server too; the server gives the same where no
launcher stands before it. An empty answer lets things take their course.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ml_orchestrator.agent_names import PLUGIN, SHIPPED_AGENTS, canonical_agent
from ml_orchestrator.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    HookAnswer = dict[str, Any]

__all__ = ["LONGEST", "OUR_AGENTS", "bound", "delegated", "specific", "without_server"]

OUR_AGENTS = {f"{PLUGIN}:{name}": name for name in SHIPPED_AGENTS}
# In characters; longer is not well formed.
LONGEST = {"agent_type": 256, "agent_id": 256, "session_id": 256}
_LEAD = f"{PLUGIN}:ml-orchestrator"  # the only one of them that starts others
# They do nothing for other agents.
_OF_OURS = ("hook_start", "hook_prompt", "hook_batch", "hook_stop")


def without_server(tool: str, arguments: Mapping[str, str]) -> HookAnswer | None:
    """Return the answer of a hook; None where it takes a server to know it.

    Raises:
        InvalidInputError: the hook's input cannot be used.
    """
    if tool == "hook_bind":
        return bound(arguments["agent_type"], arguments["tool_input"])
    if tool == "hook_delegate":
        return delegated(**arguments)
    return {} if tool in _OF_OURS and arguments["agent_type"] not in OUR_AGENTS else None


def bound(agent_type: str, tool_input: str) -> HookAnswer:
    """Return what lets a subagent act under its own name only.

    The answer has no decision, so the client's rules for the call apply as before.

    Raises:
        InvalidInputError: the call's arguments are no object, or the type is no name.
    """
    arguments = _object(tool_input)
    if not agent_type or "agent" not in arguments:
        return {}
    agent = canonical_agent(agent_type.lower())
    if arguments["agent"] == agent:
        return {}
    return specific("PreToolUse", updatedInput={**arguments, "agent": agent})


def delegated(agent_type: str, agent_id: str, tool_input: str) -> HookAnswer:
    """Return what keeps ``ml-orchestrator`` from starting others than its colleagues.

    A main thread that runs as this agent has no id; there the person says what is started.

    Raises:
        InvalidInputError: what is to be started is no object.
    """
    if agent_type != _LEAD or not agent_id:
        return {}
    wanted = _object(tool_input).get("subagent_type")
    colleagues = sorted(set(OUR_AGENTS) - {_LEAD})
    if wanted in colleagues:
        return {}
    reason = (
        f"ml-orchestrator starts only its colleagues, not {str(wanted)[:60]!r}. "
        f"Give subagent_type as one of {', '.join(colleagues)}, or do it with your own tools."
    )
    return specific("PreToolUse", permissionDecision="deny", permissionDecisionReason=reason)


def specific(event: str, **fields: Any) -> HookAnswer:
    """Return what Claude Code reads as the answer to an event."""
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # nested too deep
        found = None
    if not isinstance(found, dict):
        raise InvalidInputError(f"tool_input is not a JSON object but {text[:60]!r}.")
    return found
