"""What is decided is in the audit log, and ``ml-orchestrator audit`` shows and proves it."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from tests.registry.flowers import ask, make_desk, register_flowers

from ml_orchestrator.agent_memory import AgentMemoryManager
from ml_orchestrator.app import build_server
from ml_orchestrator.cli import main
from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.audit import FIRST, AuditEntry, audit_entries
from ml_orchestrator.storage.engine import open_database


def entries(home: Path) -> list[AuditEntry]:
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    found = database.read(lambda c: audit_entries(c, limit=1_000))
    database.close()
    return found


def acts(home: Path) -> list[tuple[str, str, str]]:
    return [(entry.act, entry.actor, entry.subject) for entry in entries(home)]


def run(home: Path, *arguments: str) -> int:
    try:
        main(["--home", str(home), "audit", *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


async def call(home: Path, tool: str, **arguments: Any) -> Any:
    settings = Settings.read({}, home=home, project_dir=home)
    async with Client(build_server(settings)) as client:
        return await client.call_tool(tool, arguments)


def test_a_move_its_approval_and_a_key_are_entered(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = make_desk(home)
    register_flowers(home, desk, n=2)
    desk.mover.move(ask(1, None, alias="stable", reason="it is better"))
    state = open_database(f"sqlite:///{home / 'state.db'}", home)
    approvals = open_approvals(state)
    asked = approvals.request(
        subject="rollout:r1", digest="d1", summary="from 1 to 2", requested_by="ml-orchestrator"
    )
    approvals.decide(asked.id, "approved", decided_by="ada", via="terminal", reason="I looked")
    approvals.spend(subject="rollout:r1", digest="d1")
    state.close()
    with pytest.raises(SystemExit):
        main(["--home", str(home), "keys", "rotate"])

    found = acts(home)
    mover = "ml-orchestrator"
    assert found[:5] == [
        ("alias.intended", mover, "alias:iris@stable"),
        ("alias.applied", mover, "alias:iris@stable"),
        ("approval.requested", "ml-orchestrator", "rollout:r1"),
        ("approval.approved", "ada", "rollout:r1"),
        ("approval.used", "ml-orchestrator", "rollout:r1"),
    ]
    assert found[5][0] == "key.rotated"
    told = entries(home)
    assert told[0].details["reason"] == "it is better"
    assert told[0].details["to_version"] == 1
    assert told[3].details == {
        "approval": asked.id, "plan": "d1", "via": "terminal", "reason": "I looked",
    }  # fmt: skip
    capsys.readouterr()
    assert run(home, "verify") == 0
    assert f"whole: {len(found)} entries" in capsys.readouterr().out


async def test_a_refusal_is_entered_once_however_often_it_is_asked(tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    asked = {"agent": "performance-engineer", "reason": "none"}
    async with Client(build_server(settings)) as client:
        for _ in range(3):
            answer = await client.call_tool("memory_forget", asked)
            assert "may not use memory_forget" in answer.content[0].text  # type: ignore[union-attr]
    assert acts(tmp_path) == [("right.refused", "performance-engineer", "tool:memory_forget")]


async def test_that_nothing_was_forgotten_is_not_entered(tmp_path: Path) -> None:
    forgetting = {"agent": "ml-orchestrator", "record_ids": ["i-none"], "reason": "told to"}
    planned = await call(tmp_path, "memory_forget", **forgetting, dry_run=True)
    digest = planned.structured_content["plan"]["digest"]

    done = await call(tmp_path, "memory_forget", **forgetting, plan_digest=digest)

    assert (done.structured_content["is_done"], acts(tmp_path)) == (False, [])


async def test_what_is_forgotten_and_what_is_imported_are_entered(tmp_path: Path) -> None:
    task = {"task_description": "train", "outcome": "success"}
    await call(tmp_path, "memory_save", agent="ml-orchestrator", task=task)
    forgetting = {"agent": "ml-orchestrator", "of_agent": "ml-orchestrator", "reason": "told to"}
    plan = (await call(tmp_path, "memory_forget", **forgetting, dry_run=True)).structured_content[
        "plan"
    ]
    assert acts(tmp_path) == []
    done = await call(tmp_path, "memory_forget", **forgetting, plan_digest=plan["digest"])
    assert done.structured_content["is_done"]
    (entry,) = entries(tmp_path)
    assert (entry.act, entry.actor) == ("memory.forgotten", "ml-orchestrator")
    assert entry.details["n_records"] == 1
    assert entry.details["reason"] == "told to"

    export, other = tmp_path / "export.json", tmp_path / "other"
    with AgentMemoryManager(other) as manager:
        manager.save_agent_memory("ml-orchestrator", {"task_history": [task]})
        export.write_text(json.dumps(manager.export_memory()), encoding="utf-8")
    with AgentMemoryManager(tmp_path) as manager:
        manager.import_memory(export)
        manager.import_memory(export)  # nothing new: no entry
    assert [entry.act for entry in entries(tmp_path)] == ["memory.forgotten", "memory.imported"]


def test_without_entries_there_is_nothing_to_show_and_the_log_is_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "list") == 0
    assert capsys.readouterr().out == "No entries.\n"
    assert run(tmp_path, "verify", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"n_entries": 0, "head": FIRST, "fault": None, "noted_at": None}


def test_a_head_that_is_not_in_the_log_and_a_wrong_one_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "verify", "--noted", "ab" * 32) == 1
    assert "is not whole. No entry has the digest abab" in capsys.readouterr().out
    assert run(tmp_path, "verify", "--noted", "ab") != 0
    assert "64 hexadecimal digits; found 'ab'" in capsys.readouterr().err
    assert run(tmp_path, "list", "--limit", "0") != 0
    assert "--limit takes 1 to 100,000; found 0" in capsys.readouterr().err
