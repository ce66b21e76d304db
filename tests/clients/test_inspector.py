import json
from typing import Any

import pytest
from tests.clients.programs import Finished, Programs, python

from ml_orchestrator.tools import TOOLS

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("inspector")]

SERVER = (str(python()), "-m", "ml_orchestrator", "mcp")
TOOL_FAILED = 5


def ask(programs: Programs, *arguments: str) -> Finished:
    """Let the Inspector start our server over stdio and make one request."""
    home = f"ML_ORCHESTRATOR_HOME={programs.project / 'data'}"
    return programs.inspector(*SERVER, "-e", home, *arguments)


def call(programs: Programs, tool: str, **arguments: Any) -> Finished:
    """Call a tool; an argument that is not text goes as JSON."""
    pairs = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in arguments.items()
    ]
    flags = [part for pair in pairs for part in ("--tool-arg", pair)]
    return ask(programs, "--method", "tools/call", "--tool-name", tool, *flags)


def test_every_tool_is_listed_with_a_schema_that_all_hosts_can_use(programs: Programs) -> None:
    done = ask(programs, "--method", "tools/list", "--strict")
    assert done.status == 0, done.said
    assert {tool["name"] for tool in json.loads(done.out)["tools"]} == set(TOOLS)


def test_what_one_session_saves_the_next_session_loads(programs: Programs) -> None:
    task = {"task_description": "Tuned the ranker", "outcome": "success", "key_insights": ["0.93"]}
    saved = call(programs, "memory_save", agent="ml-orchestrator", task=task)
    loaded = call(programs, "memory_load", agent="ml-orchestrator", limit=1)
    assert (saved.status, loaded.status) == (0, 0), saved.said + loaded.said
    (found,) = json.loads(loaded.out)["structuredContent"]["memory"]["task_history"]
    assert {name: found[name] for name in task} == task


def test_a_bad_call_fails_and_says_what_would_work(programs: Programs) -> None:
    done = call(programs, "memory_load", agent="ml-orchestrator", limits=3)
    assert done.status == TOOL_FAILED, done.said
    assert "Unknown argument 'limits'" in done.out
    assert "did you mean 'limit'?" in done.out


def test_resources_and_prompts_are_listed_with_descriptions(programs: Programs) -> None:
    asked = {
        kind: ask(programs, "--method", f"{kind}/list")
        for kind in ("resources", "resources/templates", "prompts")
    }
    assert [done.status for done in asked.values()] == [0, 0, 0], [d.said for d in asked.values()]
    resources, templates, prompts = (json.loads(done.out) for done in asked.values())
    assert [entry["uri"] for entry in resources["resources"]] == ["lease://all", "health://system"]
    assert {entry["uriTemplate"] for entry in templates["resourceTemplates"]} == {
        "dead-letter://{agent}",
        "inbox://{agent}",
        "memory://{agent}",
        "registry://{model}",
        "run://{run_id}",
        "thread://{thread_id}",
    }
    names = {entry["name"] for entry in prompts["prompts"]}
    assert names == {"train", "promote", "diagnose-drift", "improve-prompt"}
    listed = resources["resources"] + templates["resourceTemplates"] + prompts["prompts"]
    assert all(entry["description"] for entry in listed)
