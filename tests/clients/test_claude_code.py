import json
from pathlib import Path

import pytest
from tests.clients.messages_api import Script
from tests.clients.programs import ROOT, Programs
from tests.clients.sessions import (
    AGENT,
    Session,
    agent_file,
    failing_with,
    hold_session,
    stored,
    use,
)
from tests.plugin.lint_agents import PREFIX

from ml_orchestrator.tools import TOOLS

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

MODEL = "tumours"
N_WAITS = 20


def remember_and_compare() -> Script:
    """Load memory, compare two samples, tell a colleague, remember it and look again."""
    yield use("memory_load", agent=AGENT)
    drift = yield use("drift_check", reference="reference.csv", current="current.csv")
    columns = ", ".join(drift.json()["drifted_columns"])
    yield use(
        "message_send",
        agent=AGENT,
        content=f"Drifted: {columns}",
        target_agents=["data-pipeline-specialist"],
    )
    yield use(
        "memory_save",
        agent=AGENT,
        task={"task_description": "Compared two samples", "outcome": "success"},
        insights=[
            {"area": "drift", "insight": f"Drifted: {columns}", "impact": "high", "confidence": 0.9}
        ],
    )
    yield use("memory_load", agent=AGENT)
    return f"Drifted: {columns}."


def train_and_promote() -> Script:
    """Train a model, make it the champion, and try a move that must be refused."""
    yield use("memory_load", agent=AGENT)
    started = yield use(
        "training_start",
        agent=AGENT,
        source="builtin:breast_cancer",
        model=MODEL,
        trainers=["linear"],
        n_trials=2,
        n_folds=3,
    )
    run = started.json()
    for _ in range(N_WAITS):
        if run["state"] not in ("queued", "running"):
            break
        status = yield use("training_status", run_id=run["run_id"], wait_s=10)
        run = status.json()
    listed = yield use("registry_list", model=MODEL)
    version = listed.json()["versions"][0]["version"]
    move = {"agent": AGENT, "model": MODEL, "alias": "champion", "reason": "Better than nothing"}
    yield use("registry_verify", model=MODEL, version=version)
    yield use("registry_move_alias", **move, version=version, expected_version=None)
    yield use("registry_move_alias", **move, version=version, expected_version=7)
    task = {"task_description": f"Trained {MODEL}", "outcome": "success"}
    yield use("memory_save", agent=AGENT, task=task)
    return f"Version {version} is the champion."


@pytest.fixture(scope="module")
def short_session(shared_programs: Programs) -> Session:
    """A session that remembers, compares and tells."""
    write_samples(shared_programs.project)
    return hold_session(shared_programs, remember_and_compare, limit_s=120)


@pytest.fixture(scope="module")
def long_session(shared_programs: Programs) -> Session:
    """A session that trains and promotes a model."""
    return hold_session(shared_programs, train_and_promote, limit_s=300)


def write_samples(folder: Path) -> None:
    """Write two samples of two columns, of which one is shifted far away."""
    for name, shift in (("reference", 0), ("current", 500)):
        rows = [f"{i % 97},{(i * 31) % 101 + shift}" for i in range(400)]
        (folder / f"{name}.csv").write_text("\n".join(["steady,shifted", *rows, ""]))


def test_the_plugin_passes_claude_codes_own_strict_validation(programs: Programs) -> None:
    done = programs.claude("plugin", "validate", "--strict", "--profile", "directory", str(ROOT))
    assert done.status == 0, done.said


def test_claude_code_connects_to_the_server_of_the_plugin(programs: Programs) -> None:
    done = programs.claude("--plugin-dir", str(ROOT), "mcp", "list")
    (line,) = [line for line in done.out.splitlines() if f"plugin:{AGENT}:ml" in line]
    assert "✔ Connected" in line, done.said


def test_opening_this_repository_loads_the_plugin_from_it(programs: Programs) -> None:
    trusted = {"projects": {str(ROOT): {"hasTrustDialogAccepted": True}}}
    (programs.home / ".claude.json").write_text(json.dumps(trusted))
    for _ in range(2):  # the first session learns of the marketplace, the next has its plugin
        done = programs.claude(
            *("-p", "Hello", "--output-format", "stream-json", "--verbose"),
            cwd=ROOT,
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            MCP_CONNECTION_NONBLOCKING="0",
            ML_ORCHESTRATOR_HOME=str(programs.project / "data"),
        )
    opened = json.loads(done.out.splitlines()[0])
    servers = {server["name"]: server["status"] for server in opened["mcp_servers"]}
    assert servers == {f"plugin:{AGENT}:ml": "connected"}, done.said
    assert f"{AGENT}:{AGENT}" in opened["agents"]


def test_the_four_agents_are_offered_to_the_main_thread(short_session: Session) -> None:
    with failing_with(short_session):
        assert short_session.finished.status == 0
        text = json.dumps(short_session.main[0].body)
        for path in (ROOT / "agents").glob("*.md"):
            assert f"{AGENT}:{path.stem}" in text


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_the_model_gets_the_whole_schema_and_manual_of_each_tool(
    short_session: Session, tool: str
) -> None:
    with failing_with(short_session):
        sent = short_session.requests[0].tools[PREFIX + tool]
        built = TOOLS[tool].build()
        assert sent["description"] == built.description
        assert sent["input_schema"] == built.parameters


def test_the_prompt_of_the_subagent_is_the_file(short_session: Session) -> None:
    with failing_with(short_session):
        system = json.dumps(short_session.requests[0].body["system"], ensure_ascii=False)
        for line in agent_file(AGENT).body.splitlines():
            assert json.dumps(line, ensure_ascii=False)[1:-1] in system


def test_drift_is_found_where_it_was_planted(short_session: Session) -> None:
    with failing_with(short_session):
        (drift,) = short_session.results("drift_check")
        assert not drift.is_error, drift.text
        assert drift.json()["drifted_columns"] == ["shifted"]


def test_a_saved_insight_is_in_the_memory_that_is_loaded_next(short_session: Session) -> None:
    with failing_with(short_session):
        before, after = (r.json()["memory"] for r in short_session.results("memory_load"))
        assert (before["n_tasks"], before["n_insights"]) == (0, 0)
        assert (after["n_tasks"], after["n_insights"]) == (1, 1)
        assert after["optimization_insights"][0]["insight"] == "Drifted: shifted"


async def test_a_message_waits_for_the_colleague_it_was_sent_to(
    short_session: Session, shared_programs: Programs
) -> None:
    with failing_with(short_session):
        (sent,) = short_session.results("message_send")
        inbox = await stored(shared_programs, "message_inbox", "data-pipeline-specialist")
        (message,) = inbox["messages"]
        assert message["message_id"] == sent.json()["message_id"]
        assert message["content"] == "Drifted: shifted"


def test_the_report_of_the_subagent_reaches_the_person(short_session: Session) -> None:
    with failing_with(short_session):
        answer = json.loads(short_session.finished.out)
        assert f"{AGENT} reports:" in answer["result"]
        assert "Drifted: shifted." in answer["result"]


def test_a_training_that_was_started_ends_with_a_registered_version(long_session: Session) -> None:
    with failing_with(long_session):
        run = long_session.results("training_status")[-1].json()
        assert run["state"] == "succeeded", run
        (listed,) = long_session.results("registry_list")
        (version,) = listed.json()["versions"]
        assert (version["version"], version["aliases"]) == (1, ["challenger"])


def test_the_verified_version_becomes_the_champion(long_session: Session) -> None:
    with failing_with(long_session):
        (verified,) = long_session.results("registry_verify")
        moved, _ = long_session.results("registry_move_alias")
        assert verified.json()["ok"] is True
        assert not moved.is_error, moved.text
        assert moved.json()["move"]["to_version"] == 1


def test_a_move_that_expects_another_version_is_refused_with_what_is_there(
    long_session: Session,
) -> None:
    with failing_with(long_session):
        _, refused = long_session.results("registry_move_alias")
        assert refused.is_error
        assert "champion" in refused.text
        assert "7" in refused.text
