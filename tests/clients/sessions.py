"""Whole sessions of real Claude Code, offline: what is said in them and what they leave behind."""

import json
import re
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.client import Client
from tests.clients.messages_api import Actor, Call, Request, Result, Script, ScriptedApi, serve
from tests.clients.programs import ROOT, Finished, Programs
from tests.plugin.lint_agents import OPTIONAL_TOOLS, PREFIX, AgentFile, read_agent, tools_of
from tests.tools.asking import ask

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

__all__ = [
    "AGENT",
    "ASKED_TO_SAVE",
    "EVERY_TOOL",
    "IS_IT_THERE",
    "NEVER_CALLED",
    "Session",
    "agent_file",
    "answer_work",
    "ask_claude",
    "collaborators",
    "failing_with",
    "handed",
    "hold_session",
    "left_behind",
    "main_thread",
    "own_tools",
    "start",
    "stored",
    "subagent",
    "use",
]

AGENT = PLUGIN = "ml-orchestrator"
EVERY_TOOL = f"{PREFIX.removesuffix('__')},Agent"
ASKED_TO_SAVE = "Stop hook feedback:\nNothing has been saved to memory"
NEVER_CALLED = "DeferredToolPlaceholder"  # Claude Code 2.1.330 adds it to every request


_HANDED = re.compile("--- stored records\n(.*?)\n--- end of stored records", re.DOTALL)


def use(tool: str, **arguments: Any) -> Call:
    """Return a call of one of our tools."""
    return Call(PREFIX + tool, arguments)


IS_IT_THERE = use("health_get")  # answered when the server is


def start(agent_type: str) -> Call:
    """Return a call that starts an agent and waits for its end."""
    prompt = {"description": "ML work", "prompt": "Do it.", "run_in_background": False}
    return Call("Agent", {**prompt, "subagent_type": agent_type})


def answer_work(signed: str, found: str) -> Generator[Call, Result, dict[str, Any]]:
    """Take the one message of the inbox, send the result back, and return that message.

    Each call is ``signed`` with an agent's name.
    """
    yield use("memory_load", agent=signed)
    inbox = yield use("message_inbox", agent=signed)
    (asked,) = inbox.json()["messages"]
    yield use("message_ack", agent=signed, message_ids=[asked["message_id"]])
    yield use(
        "message_send",
        agent=signed,
        message_type="delegation_result",
        content=found,
        target_agents=[asked["from_agent"]],
        reply_to=asked["message_id"],
        metadata={"outcome": "success"},
    )
    return dict(asked)


def agent_file(agent: str) -> AgentFile:
    """Return a shipped agent's file."""
    return read_agent((ROOT / "agents" / f"{agent}.md").read_text())


def own_tools(agent: str) -> set[str]:
    """Return the tools of a shipped agent's file, those of a server of others left out."""
    return set(tools_of(agent_file(agent))) - OPTIONAL_TOOLS


def subagent(agent: str, script: Callable[[], Script]) -> Actor:
    """Return a shipped agent that follows a script, known by how its prompt begins."""
    return Actor(agent, agent_file(agent).body.splitlines()[0], script)


def main_thread(*agents: str, first: Call | None = None) -> Actor:
    """Return the main thread, which starts each agent when the one before has ended.

    A call that it makes ``first`` waits for the server: so a slow machine changes nothing in
    what comes after.
    """

    def script() -> Script:
        if first is not None:
            yield first
        reports = []
        for agent in agents:
            report = yield start(f"{PLUGIN}:{agent}")
            reports.append(f"{agent} reports: {report.text}")
        return "\n".join(reports)

    return Actor("main", "", script)


@dataclass(frozen=True, slots=True)
class Session:
    """A finished run of Claude Code, and what it asked of its model for whom."""

    finished: Finished
    main: Sequence[Request]
    requests: Sequence[Request]

    def results(self, tool: str) -> list[Result]:
        """Return what the model got back from each call of a tool, in order."""
        calls = self.requests[-1].exchanges
        return [result for call, result in calls if call.tool == PREFIX + tool]


def hold_session(
    programs: Programs,
    script: Callable[[], Script],
    *,
    limit_s: float,
    allowed: str = EVERY_TOOL,
    plugin: Path = ROOT,
    first: Call | None = None,
) -> Session:
    """Run Claude Code with the plug-in: its one subagent follows the script."""
    with serve(subagent(AGENT, script), main_thread(AGENT, first=first)) as api:
        folder = ("--plugin-dir", str(plugin))
        finished = ask_claude(programs, api, *folder, limit_s=limit_s, allowed=allowed)
        return Session(finished, api.of("main"), api.of(AGENT))


def ask_claude(
    programs: Programs,
    api: ScriptedApi,
    *options: str,
    limit_s: float,
    allowed: str = EVERY_TOOL,
    **variables: str,
) -> Finished:
    """Put one question to Claude Code, whose model is the scripted one.

    ``allowed`` names, with commas, what may be used without a person's consent.
    """
    return programs.claude(
        *(*options, "-p", "Please do the ML work.", "--output-format", "json"),
        *("--allowedTools", allowed),
        limit_s=limit_s,
        cwd=programs.project,
        ANTHROPIC_BASE_URL=api.url,
        ANTHROPIC_API_KEY="none-is-needed",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        ML_ORCHESTRATOR_WORKER_IDLE_S="2",
        **variables,
    )


def handed(request: Request, kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind that the hooks had laid into a conversation by this request."""
    quoted = [line for part in _HANDED.findall(request.said) for line in part.splitlines()]
    return [record for record in map(json.loads, quoted) if record["record"] == kind]


def collaborators(loaded: Mapping[str, Any]) -> Any:
    """Return how work with colleagues went, from an answer of ``memory_load``."""
    return loaded["memory"]["collaboration_patterns"]["frequent_collaborators"]


@asynccontextmanager
async def left_behind(programs: Programs) -> AsyncIterator[Client]:
    """A client of our server on the project of sessions that are over."""
    settings = Settings.read({}, project_dir=programs.project)
    async with Client(build_server(settings)) as client:
        yield client


async def stored(programs: Programs, tool: str, agent: str) -> dict[str, Any]:
    """Return what a reading tool says of an agent once the session is over."""
    async with left_behind(programs) as client:
        return await ask(client, tool, agent=agent)


@contextmanager
def failing_with(*sessions: Session) -> Iterator[None]:
    """Show what the subagents and Claude Code said if something inside fails."""
    try:
        yield
    except Exception as error:
        for request in (request for session in sessions for request in session.requests[-1:]):
            error.add_note(f"{request.actor}:")
            for call, result in request.exchanges:
                arguments = json.dumps(call.arguments)
                error.add_note(f"{call.tool}({arguments})\n    {result.text[:1_000]}")
        error.add_note(sessions[0].finished.said)
        raise
