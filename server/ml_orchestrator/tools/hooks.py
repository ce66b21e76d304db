"""Hidden tools that answer the hooks of Claude Code (``hooks/hooks.json``) in its own JSON.

Values of a hook's input arrive as text, absent ones as empty text. An empty answer lets
things take their course.
"""

from typing import Annotated, Any, Literal, TypeAlias

from mcp.server.mcpserver import Context, Resolve
from pydantic import Field

from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.hook_answers import LONGEST, OUR_AGENTS, bound, delegated, specific
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.services import CollaborationService, SecurityIntegrationService, Services
from ml_orchestrator.services.handover import (
    AgentSessions,
    ask_to_save,
    hand_over,
    save_for,
    tell_news,
)
from ml_orchestrator.tools._server import OrchestratorServer
from ml_orchestrator.tools._services import ClientSession, Collaboration
from ml_orchestrator.tools._tool import hidden_tool

__all__ = [
    "hook_batch",
    "hook_bind",
    "hook_delegate",
    "hook_prompt",
    "hook_saved",
    "hook_start",
    "hook_stop",
]

HookAnswer: TypeAlias = dict[str, Any]
AgentType: TypeAlias = Annotated[
    str,
    Field(
        max_length=LONGEST["agent_type"],
        description="Type of the agent; empty on the main thread.",
    ),
]
AgentId: TypeAlias = Annotated[
    str, Field(max_length=LONGEST["agent_id"], description="Id of the running subagent.")
]
SessionId: TypeAlias = Annotated[
    str, Field(max_length=LONGEST["session_id"], description="Id of the client's session.")
]


async def _sessions(ctx: Context[Services]) -> AgentSessions:
    server = ctx.mcp_server
    if not isinstance(server, OrchestratorServer):
        raise TypeError(f"Hooks are answered by an OrchestratorServer, not {type(server).__name__}")
    return server.agent_sessions


async def _security(ctx: Context[Services]) -> SecurityIntegrationService:
    return ctx.request_context.lifespan_context.security


Sessions: TypeAlias = Annotated[AgentSessions, Resolve(_sessions)]
Security: TypeAlias = Annotated[SecurityIntegrationService, Resolve(_security)]


@hidden_tool
async def hook_start(
    agent_type: AgentType, agent_id: AgentId, collaboration: Collaboration, sessions: Sessions
) -> HookAnswer:
    """SubagentStart: hand memory and unread messages over."""
    agent = OUR_AGENTS.get(agent_type)
    if agent is None:
        return {}
    text = await hand_over(collaboration, sessions.begin(agent_id), agent)
    return _context("SubagentStart", text)


@hidden_tool
async def hook_prompt(
    agent_type: AgentType, session_id: SessionId, collaboration: Collaboration, sessions: Sessions
) -> HookAnswer:
    """UserPromptSubmit: hand a main thread that runs as our agent its memory, and then news."""
    return await _news("UserPromptSubmit", agent_type, session_id, collaboration, sessions)


@hidden_tool
async def hook_batch(
    agent_type: AgentType,
    agent_id: AgentId,
    collaboration: Collaboration,
    sessions: Sessions,
    session_id: SessionId = "",
) -> HookAnswer:
    """PostToolBatch: tell of what cannot wait or found no room before, or of a memory not told."""
    return await _news("PostToolBatch", agent_type, agent_id or session_id, collaboration, sessions)


@hidden_tool
async def hook_bind(
    agent_type: AgentType,
    tool_input: Annotated[str, Field(description="The call's arguments, as JSON.")],
) -> HookAnswer:
    """PreToolUse: let a subagent act under its own name only."""
    return bound(agent_type, tool_input)


@hidden_tool
async def hook_delegate(
    agent_type: AgentType,
    agent_id: AgentId,
    tool_input: Annotated[str, Field(description="What is to be started, as JSON.")],
) -> HookAnswer:
    """PreToolUse of Agent: keep ``ml-orchestrator`` from starting others than its colleagues."""
    return delegated(agent_type, agent_id, tool_input)


@hidden_tool
async def hook_saved(agent_id: AgentId, sessions: Sessions) -> HookAnswer:
    """PostToolUse of memory_save: note that this subagent has saved."""
    sessions.of(agent_id).has_saved = True
    return {}


@hidden_tool
async def hook_stop(
    agent_type: AgentType,
    agent_id: AgentId,
    stop_hook_active: Literal["true", "false", ""],
    last_assistant_message: str,
    collaboration: Collaboration,
    sessions: Sessions,
    security: Security,
    client: ClientSession,
) -> HookAnswer:
    """SubagentStop: ask once for memory_save, and save a minimal record if it does not come."""
    agent, session = OUR_AGENTS.get(agent_type), sessions.of(agent_id)
    if agent is None or session.has_saved or not _may_save(security, agent):
        return {}
    if stop_hook_active != "true" and not session.was_asked:
        session.was_asked = True
        return {"decision": "block", "reason": ask_to_save(agent)}
    origin = Origin(tool="hook_stop", session=client, source="last message of the agent")
    await save_for(collaboration, agent, last_assistant_message, origin=origin)
    session.has_saved = True
    return {}


async def _news(
    event: str,
    agent_type: str,
    session: str,
    collaboration: CollaborationService,
    sessions: AgentSessions,
) -> HookAnswer:
    agent = OUR_AGENTS.get(agent_type)
    if agent is None:
        return {}
    return _context(event, await tell_news(collaboration, sessions.of(session), agent))


def _may_save(security: SecurityIntegrationService, agent: str) -> bool:
    try:
        security.authorise(agent, "memory_save")
    except PermissionDeniedError:
        return False
    return True


def _context(event: str, text: str) -> HookAnswer:
    return specific(event, additionalContext=text) if text else {}
