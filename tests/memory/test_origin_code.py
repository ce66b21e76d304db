"""The Python that agent definitions paste, word for word, run as a project would run it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.launcher.raw_client import RawClient

from ml_orchestrator.agent_memory import AgentMemoryManager
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.storage.engine import open_database

ROOT = Path(__file__).parents[2]
BLOCKS = Path(__file__).parent
LOAD = (BLOCKS / "origin_load.txt").read_text(encoding="utf-8")
UPDATE = (BLOCKS / "origin_update.txt").read_text(encoding="utf-8")
SAVE_AND_REPORT = """
import json
save_my_memory("ml-orchestrator", load_my_memory("ml-orchestrator"))
print(json.dumps({
    "memory": load_my_memory("ml-orchestrator"),
    "theirs": manager.get_unread_messages("performance-engineer"),
}))
"""
IMPORT = "import sys; sys.path.append('.claude/memory'); from memory_manager import *\n"
# As good as an interpreter of the system: it has no package of ours, nor any other.
BARE_PYTHON = [sys.executable, "-I", "-S", "-W", "error"]


@pytest.fixture(autouse=True)
def developers_environment() -> None:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("the plug-in's environment .venv is not there; run `make setup`")


def environ(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ML_ORCH", "CLAUDE"))}
    return {**kept, **more}


def link_to_this_repository(project: Path) -> None:
    (project / ".claude").symlink_to(ROOT / ".claude")


def serve_by_the_plugin(project: Path, **more: str) -> None:
    """Start the launcher as the plug-in does, and end it after one call."""
    command = [*BARE_PYTHON, str(ROOT / "bin" / "ml-orchestrator-launch")]
    with RawClient(command, environ(CLAUDE_PROJECT_DIR=str(project), **more), project) as client:
        client.shake_hands()
        assert client.call(1, "memory_load", agent="ml-orchestrator")["isError"] is False


def run(project: Path, code: str, given: Mapping[str, str] | None = None) -> Any:
    return subprocess.run(
        [*BARE_PYTHON, "-c", code],
        cwd=project,
        env=given or environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("prepare", [link_to_this_repository, serve_by_the_plugin])
def test_both_blocks_run_against_the_store_of_the_project(
    tmp_path: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(tmp_path)

    ran = run(tmp_path, LOAD + UPDATE + SAVE_AND_REPORT)

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    (task,) = found["memory"]["task_history"]
    (insight,) = found["memory"]["optimization_insights"]
    colleagues = found["memory"]["collaboration_patterns"]["frequent_collaborators"]
    (message,) = found["theirs"]
    assert task["outcome"] == "partial"  # the choice was left open: taken at its most cautious
    assert insight["impact"] == "low"
    assert [c["agent_name"] for c in colleagues] == [
        "data-pipeline-specialist",
        "infrastructure-specialist",
    ]
    assert (message["priority"], message["from_agent"]) == ("high", "ml-orchestrator")
    assert (tmp_path / ".ml-orchestrator" / "state.db").exists()


def test_pasted_code_finds_the_store_that_the_plugin_was_told_to_use(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    serve_by_the_plugin(project, ML_ORCHESTRATOR_OPTION_HOME=str(elsewhere))

    ran = run(project, IMPORT + "load_my_memory('ml-orchestrator')")

    assert ran.returncode == 0, ran.stderr
    assert [path.name for path in project.iterdir()] == [".claude"]
    assert (elsewhere / "state.db").exists()


def test_a_plugin_that_only_reads_leaves_the_project_alone(tmp_path: Path) -> None:
    serve_by_the_plugin(tmp_path, ML_ORCHESTRATOR_OPTION_MODE="read-only")
    assert not (tmp_path / ".claude").exists()


def test_what_the_store_refuses_reaches_pasted_code_as_an_error_with_its_text(
    tmp_path: Path,
) -> None:
    link_to_this_repository(tmp_path)
    code = """
manager = AgentMemoryManager()
for attempt in (
    lambda: manager.add_task_to_history("ml-orchestrator", {"outcome": "success"}),
    lambda: manager.acknowledge_message("nonesuch", "ml-orchestrator"),
    lambda: manager.add_task_to_history(),
    lambda: manager.forget_everything(),
):
    try:
        attempt()
    except Exception as error:
        print(type(error).__name__, error)
"""
    ran = run(tmp_path, IMPORT + code)

    assert ran.returncode == 0, ran.stderr
    refused = [line.partition(" ")[::2] for line in ran.stdout.splitlines()]
    assert [kind for kind, _ in refused] == [
        "ValueError", "LookupError", "TypeError", "AttributeError",
    ]  # fmt: skip
    assert "task_description: Field required" in refused[0][1]


# Another process has the store for itself, so that what pasted code sends has to wait.
HELD = """
import sqlite3
load_my_memory("ml-orchestrator")
other = sqlite3.connect(".ml-orchestrator/state.db")
other.execute("BEGIN IMMEDIATE")
def send():
    send_message_to_agents("ml-orchestrator", "insight", "late", ["performance-engineer"])
"""


def test_after_a_call_was_interrupted_the_next_one_gets_its_own_answer(tmp_path: Path) -> None:
    link_to_this_repository(tmp_path)
    code = """
import signal
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    send()
except KeyboardInterrupt:
    print("interrupted")
other.rollback()
print(load_my_memory("performance-engineer")["agent_name"])
print(AgentMemoryManager().get_unread_messages("performance-engineer"))
"""
    ran = run(tmp_path, IMPORT + HELD + code)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["interrupted", "performance-engineer", "[]"]
    assert ran.stderr == ""


def test_a_fork_has_a_helper_of_its_own_while_that_of_its_parent_is_busy(tmp_path: Path) -> None:
    link_to_this_repository(tmp_path)
    code = """
import memory_manager, os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on: a fork beside threads
sender = threading.Thread(target=send)
sender.start()
while not memory_manager._helper._lock.locked():
    pass
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1])
    other.rollback()
    sender.join()
else:
    print(AgentMemoryManager("elsewhere").load_agent_memory("ml-orchestrator")["agent_name"])
"""
    ran = run(tmp_path, IMPORT + HELD + code)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["ml-orchestrator", "0"]
    assert ran.stderr == ""


def test_a_program_ends_though_forks_of_it_live_on(tmp_path: Path) -> None:
    link_to_this_repository(tmp_path)
    code = """
load_my_memory("ml-orchestrator")
pool = multiprocessing.get_context("fork").Pool(2)  # one of them asks, the other never does
print(pool.apply(load_my_memory, ["performance-engineer"])["agent_name"])
"""
    # What is imported first tidies up last: the pool is there until our helper has ended.
    ran = run(tmp_path, "import multiprocessing.pool\n" + IMPORT + code)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "performance-engineer\n"


def test_a_program_ends_though_a_fork_that_python_did_not_see_lives_on(tmp_path: Path) -> None:
    link_to_this_repository(tmp_path)
    forks = """
import atexit, ctypes, os, signal
forks = []
atexit.register(lambda: [os.kill(fork, signal.SIGKILL) for fork in forks])
"""
    code = """
load_my_memory("ml-orchestrator")
libc = ctypes.CDLL(None)
forks.append(libc.fork())
if forks == [0]:
    libc.alarm(100)
    libc.pause()
"""
    ran = run(tmp_path, forks + IMPORT + code)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_without_the_plugins_environment_the_import_says_what_to_do(tmp_path: Path) -> None:
    serve_by_the_plugin(tmp_path)
    file = tmp_path / ".claude" / "memory" / "memory_manager.py"
    file.write_text(file.read_text().replace(str(ROOT), "/nonesuch"))

    ran = run(tmp_path, IMPORT)

    assert ran.returncode == 1
    assert "ImportError: /nonesuch/.venv/bin/python is not there" in ran.stderr
    assert "Start a session of Claude Code with the ml-orchestrator plug-in" in ran.stderr


def test_the_shared_context_of_a_new_project_has_the_origins_shape(tmp_path: Path) -> None:
    link_to_this_repository(tmp_path)

    ran = run(tmp_path, IMPORT + "import json; print(json.dumps(load_shared_context()))")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "last_updated": None,
        "project_context": {
            "project_name": tmp_path.name,
            "current_phase": "development",
            "active_objectives": [],
            "system_health": {"overall_status": "unknown"},
        },
        "inter_agent_messages": [],
        "global_insights": [],
    }


def test_the_shared_context_holds_what_agents_told_and_learnt(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    content = {
        "goal": "ship",
        "project_context": {"current_phase": "launch"},
        "performance_baselines": {"p99_ms": 80.5},
    }
    SqlMemoryStore(database).put_shared_context(content, expected_revision=0, actor="a")
    database.close()
    insight = {"area": "training", "insight": "it helps", "impact": "high", "confidence": 0.9}
    with AgentMemoryManager(tmp_path) as manager:
        for name in ("first", "second"):
            manager.add_optimization_insight("ml-orchestrator", {**insight, "insight": name})
        manager.add_inter_agent_message("ml-orchestrator", "insight", "to all", None, {"tags": []})
        told = manager.add_inter_agent_message(
            "ml-orchestrator", "warning", "slow", ["performance-engineer"], {"priority": "high"}
        )
        manager.acknowledge_message(told, "performance-engineer")
        context = manager.load_shared_context()

    known = ("last_updated", "project_context", "inter_agent_messages", "global_insights")
    assert list(context) == [*known, "performance_baselines"]
    assert context["project_context"]["goal"] == "ship"
    assert context["project_context"]["current_phase"] == "launch"
    assert [i["insight"] for i in context["global_insights"]] == ["second", "first"]
    learnt = context["global_insights"][0]
    assert learnt["created_at"] == learnt["last_validated"]
    assert {k: v for k, v in learnt.items() if k not in ("insight_id", "created_at")} == {
        "category": "training",
        "insight": "second",
        "contributing_agents": ["ml-orchestrator"],
        "confidence": 0.9,
        "impact_assessment": "high",
        "last_validated": learnt["last_validated"],
    }
    newest, broadcast = context["inter_agent_messages"]
    (done,) = newest["acknowledged_by"]
    assert done["agent"] == "performance-engineer"
    assert newest == {
        "message_id": told,
        "from_agent": "ml-orchestrator",
        "target_agents": ["performance-engineer"],
        "message_type": "warning",
        "content": "slow",
        "timestamp": newest["timestamp"],
        "metadata": {"priority": "high"},
        "acknowledged_by": [done],
    }
    assert (broadcast["target_agents"], broadcast["acknowledged_by"]) == ([], [])
    assert broadcast["metadata"] == {"priority": "medium", "tags": []}


def test_unread_messages_and_colleagues_have_the_origins_shape(tmp_path: Path) -> None:
    readers = ["performance-engineer", "data-pipeline-specialist"]
    details = {"model_alias": "@champion"}
    with AgentMemoryManager(tmp_path) as manager:
        sent = manager.add_inter_agent_message("ml-orchestrator", "insight", "x", readers, details)
        manager.acknowledge_message(sent, "performance-engineer")
        manager.update_collaboration_pattern(
            "ml-orchestrator", "performance-engineer", success=True, task_type="latency"
        )
        (unread,) = manager.get_unread_messages("data-pipeline-specialist")
        memory = manager.load_agent_memory("ml-orchestrator")
        (shared,) = manager.load_shared_context()["inter_agent_messages"]

    assert shared.items() <= unread.items()
    assert unread["metadata"] == {"priority": "medium", **details}
    assert [done["agent"] for done in unread["acknowledged_by"]] == ["performance-engineer"]
    (colleague,) = memory["collaboration_patterns"]["frequent_collaborators"]
    assert set(colleague) == {
        *("agent_name", "collaboration_frequency", "success_rate", "common_tasks"),
        *("success_rate_by_task", "last_at"),  # which ours have besides
    }
