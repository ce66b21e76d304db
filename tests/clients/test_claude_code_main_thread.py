"""A main thread of real Claude Code that runs as our agent: memory comes with its first prompt."""

import pytest
from tests.clients.messages_api import Actor, Script, serve
from tests.clients.programs import ROOT, Programs
from tests.clients.sessions import AGENT, IS_IT_THERE, ask_claude, handed, stored, use

from ml_orchestrator.agent_memory import AgentMemoryManager

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

BEFORE = "tuned the ranker to AUC 0.71"
SAVED = "Looked at the ranker again"


def work() -> Script:
    """Call a tool, and save under another agent's name."""
    yield IS_IT_THERE
    task = {"task_description": SAVED, "outcome": "success"}
    yield use("memory_save", agent="performance-engineer", task=task)
    return "Done."


async def test_it_has_its_memory_before_its_first_step_and_acts_under_its_name(
    programs: Programs,
) -> None:
    with AgentMemoryManager(programs.project / ".ml-orchestrator") as manager:
        manager.add_task_to_history(AGENT, {"task_description": BEFORE, "outcome": "success"})

    with serve(Actor("main", "", work)) as api:
        options = ("--plugin-dir", str(ROOT), "--agent", f"ml-orchestrator:{AGENT}")
        finished = ask_claude(programs, api, *options, limit_s=120)
        requests = api.of("main")

    assert finished.status == 0, finished.said
    for request in (requests[0], requests[-1]):  # once, not again after its calls
        (task,) = handed(request, "task")
        assert task["task"] == BEFORE
    loaded = await stored(programs, "memory_load", AGENT)
    said = [task["task_description"] for task in loaded["memory"]["task_history"]]
    assert said == [SAVED, BEFORE]
