"""No door stores what the tools would not take: neither an import nor pasted Python."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml_orchestrator.agent_memory import AgentMemoryManager
from ml_orchestrator.errors import InvalidInputError, QuotaExceededError
from ml_orchestrator.memory._files import FORMAT
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight
from ml_orchestrator.memory.transfer import export_memory, import_memory
from ml_orchestrator.storage.engine import Database, open_database

ME = "ml-orchestrator"
AT = "2026-01-01T00:00:00.000000+00:00"
INSIGHT = {"area": "a", "insight": "i", "impact": "low", "confidence": 0.5, "discovered_at": AT}
TASK = {
    "task_description": "t",
    "outcome": "success",
    "key_insights": [],
    "delegations": [],
    "task_id": "t",
    "timestamp": AT,
}
FACT = {"subject": "s", "statement": "f", "source": "x", "confidence": 0.5, "noted_at": AT}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    yield opened
    opened.close()


def write_export(path: Path, *records: dict[str, Any], context: object = None) -> Path:
    content = {"format": FORMAT, "version": 1, "records": records, "collaborations": []}
    path.write_text(json.dumps({**content, "shared_context": context}), encoding="utf-8")
    return path


def record(kind: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "agent": ME, "at": AT, "payload": payload, **more}


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (record("insight", {**INSIGHT, "insight": "x" * 4_001}), "insight: String should have at"),
        (record("insight", {**INSIGHT, "area": "x" * 129}), "area"),
        (record("insight", {**INSIGHT, "confidence": 7}), "confidence"),
        (record("insight", {**INSIGHT, "confidence": float("nan")}), "confidence"),
        (record("task", {**TASK, "task_description": "x" * 9_000}), "task_description"),
        (record("task", {**TASK, "key_insights": ["k"] * 21}), "key_insights"),
        (record("task", {**TASK, "key_insights": ["k" * 501]}), "key_insights.0"),
        (record("task", {**TASK, "task_id": "x" * 65}), "task_id"),
        (
            record("task", {**TASK, "delegations": [{"to_agent": ME, "reason": "r" * 501}]}),
            "delegations.0.reason",
        ),
        (record("knowledge", {**FACT, "statement": "x" * 4_001}), "statement"),
        (record("knowledge", {**FACT, "source": "x" * 501}), "source"),
        (record("insight", INSIGHT, source="x" * 201), "source"),
        (record("insight", INSIGHT, session=["s"]), "session"),
        (record("insight", INSIGHT, n_merged=float("inf")), "infinity"),
    ],
)
def test_an_import_names_and_skips_what_no_tool_would_take(
    database: Database, tmp_path: Path, bad: dict[str, Any], named: str
) -> None:
    good = record("insight", {**INSIGHT, "insight": "kept"})

    done = import_memory(database, write_export(tmp_path / "export.json", bad, good))

    assert (done.n_added, len(done.skipped)) == (1, 1)
    assert named in done.skipped[0]
    (kept,) = SqlMemoryStore(database).load(ME).optimization_insights
    assert kept.insight == "kept"


def test_text_that_grew_as_hidden_characters_were_spelled_out_is_imported_again(
    database: Database, tmp_path: Path
) -> None:
    hidden = Insight(insight="\u200b" * 4_000, area="a", impact="low", confidence=0.5)
    SqlMemoryStore(database).save(ME, insights=[hidden])
    file = tmp_path / "export.json"
    file.write_text(json.dumps(export_memory(database)), encoding="utf-8")
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}", tmp_path)

    done = import_memory(other, file)

    assert (done.n_added, done.skipped) == (1, [])
    (found,) = SqlMemoryStore(other).load(ME).optimization_insights
    assert found.insight == "\\u200b" * 4_000
    other.close()


@pytest.mark.parametrize(
    "typed",
    [
        r"\x41",  # A, which nobody spells out
        r"\x0a",  # a line end, which stays
        r"\u00e9",
        r"\u2003",  # a wide space
        r"\u0000",  # hidden, but spelled \x00
        r"\U0000200b",
        r"\U00110000",  # beyond all characters
    ],
)
def test_escapes_that_no_cleaner_writes_count_with_each_of_their_characters(
    database: Database, tmp_path: Path, typed: str
) -> None:
    n = 4_000 // len(typed)
    texts = [typed * n, typed * (n + 1)]
    given = [record("insight", {**INSIGHT, "insight": text}) for text in texts]

    done = import_memory(database, write_export(tmp_path / "export.json", *given))

    assert (done.n_added, len(done.skipped)) == (1, 1)
    assert "insight: String should have at most 4000 characters" in done.skipped[0]
    (kept,) = SqlMemoryStore(database).load(ME).optimization_insights
    assert kept.insight == texts[0]


def test_a_file_nested_too_deep_is_named_and_the_others_are_read(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    write_export(folder / "good.json", record("insight", INSIGHT))

    done = import_memory(database, folder)

    assert done.n_added == 1
    assert "deep.json: It is nested too deeply." in done.skipped[0]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"x": "y" * 50_000}, "larger than 50,000 bytes"),
        ({"x": json.loads("[" * 60 + "]" * 60)}, "nested more than 50 levels"),
        ({"x": float("inf")}, "no JSON"),
    ],
)
def test_a_shared_context_that_is_too_much_is_refused_and_left_out_of_an_import(
    database: Database, tmp_path: Path, content: dict[str, Any], complaint: str
) -> None:
    store = SqlMemoryStore(database)
    with pytest.raises(InvalidInputError, match=complaint):
        store.put_shared_context(content, expected_revision=0, actor=ME)
    file = write_export(tmp_path / "export.json", context={"content": content})

    done = import_memory(database, file)

    assert complaint in done.notes[0]
    assert store.shared_context().revision == 0


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"content": "x" * 20_001}, "20,001 characters"),
        ({"content": ""}, "0 characters"),
        ({"message_type": "x" * 64}, "no message_type"),
        ({"message_type": "a\nb"}, "no message_type"),
        ({"metadata": {"x": "y" * 20_000}}, "larger than 20,000 bytes"),
        ({"metadata": {"x": json.loads("[" * 60 + "]" * 60)}}, "more than 50 levels"),
        ({"metadata": {"x": float("nan")}}, "no JSON"),
        ({"metadata": {"x": {1, 2}}}, "no JSON"),
        ({"target_agents": [f"agent-{n}" for n in range(51)]}, "at most 50"),
    ],
)
def test_pasted_python_sends_no_more_than_the_tool(
    tmp_path: Path, message: dict[str, Any], complaint: str
) -> None:
    usual: dict[str, Any] = {"from_agent": ME, "message_type": "insight", "content": "x"}
    with AgentMemoryManager(tmp_path) as manager:
        with pytest.raises(InvalidInputError, match=complaint):
            manager.add_inter_agent_message(**{**usual, **message})

        assert manager.get_unread_messages("performance-engineer") == []


def test_pasted_python_keeps_the_quotas_that_a_person_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_ORCHESTRATOR_MESSAGES_PER_MINUTE", "2")
    with AgentMemoryManager(tmp_path) as manager:
        for _ in range(2):
            manager.add_inter_agent_message(ME, "insight", "x")
        with pytest.raises(QuotaExceededError, match="at most 2 are taken"):
            manager.add_inter_agent_message(ME, "insight", "x")


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (7, "it is 7; an object is taken"),
        (
            {**record("insight", INSIGHT), "payload": "text"},
            "payload is 'text'; an object is taken",
        ),
    ],
)
def test_an_import_names_records_that_are_no_objects(
    database: Database, tmp_path: Path, odd: Any, said: str
) -> None:
    good = record("insight", INSIGHT)

    done = import_memory(database, write_export(tmp_path / "export.json", good, odd))

    assert (done.n_added, done.skipped) == (1, [f"export.json: records[1]: {said}"])


def test_blank_text_that_was_stored_before_is_imported_loaded_and_saved_back(
    database: Database, tmp_path: Path
) -> None:
    blank = record("task", {**TASK, "task_description": "  "})

    done = import_memory(database, write_export(tmp_path / "export.json", blank))

    with AgentMemoryManager(tmp_path) as manager:
        memory = manager.load_agent_memory(ME)
        manager.save_agent_memory(ME, memory)
    assert (done.n_added, done.skipped) == (1, [])
    assert memory["task_history"][0]["task_description"] == "  "
