"""What code does to a memory that it loaded is stored when it is saved back, or said not to be."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.memory.test_python_door import store_facts

from ml_orchestrator.agent_memory import AgentMemoryManager
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.requests import Selection
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.schema import memory_records

ME = "ml-orchestrator"
PATTERN = {"pattern_name": "retries", "description": "Three at most.", "success_rate": 0.75}
LEARNT = {
    "common_patterns": [PATTERN],
    "project_specific_context": {
        "architecture_patterns": ["One writer a table."],
        "configuration_insights": ["Pool of five."],
        "performance_baselines": {"p99_ms": 80},
    },
}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[AgentMemoryManager]:
    with AgentMemoryManager(tmp_path) as manager:
        yield manager


def learn(manager: AgentMemoryManager, **knowledge: Any) -> dict[str, Any]:
    """Save what is added to an agent's domain knowledge, and return all that it knows then."""
    memory = manager.load_agent_memory(ME)
    memory["domain_knowledge"] = {**memory["domain_knowledge"], **knowledge}
    manager.save_agent_memory(ME, memory)
    return known_to(manager)


def known_to(manager: AgentMemoryManager) -> dict[str, Any]:
    found: dict[str, Any] = manager.load_agent_memory(ME)["domain_knowledge"]
    return found


def baseline(manager: AgentMemoryManager) -> float:
    found: float = known_to(manager)["project_specific_context"]["performance_baselines"]["p99_ms"]
    return found


def set_baseline(memory: dict[str, Any], value: float) -> dict[str, Any]:
    memory["domain_knowledge"]["project_specific_context"]["performance_baselines"] = {
        "p99_ms": value
    }
    return memory


def test_what_is_added_to_domain_knowledge_is_stored(manager: AgentMemoryManager) -> None:
    known = learn(manager, **LEARNT)

    (pattern,) = known["common_patterns"]
    assert {**pattern, "last_used": None} == {**PATTERN, "frequency": 1, "last_used": None}
    assert known["project_specific_context"] == LEARNT["project_specific_context"]


def test_saving_it_again_changes_nothing_and_says_nothing(
    manager: AgentMemoryManager, caplog: pytest.LogCaptureFixture
) -> None:
    learn(manager, **LEARNT)
    before = manager.export_memory()["records"]

    manager.save_agent_memory(ME, manager.load_agent_memory(ME))

    assert manager.export_memory()["records"] == before
    assert caplog.messages == []


def test_lists_grow_from_both_of_two_that_loaded_the_same(manager: AgentMemoryManager) -> None:
    learn(manager, **LEARNT)
    mine, yours = manager.load_agent_memory(ME), manager.load_agent_memory(ME)
    for memory, said in ((mine, "Mine."), (yours, "Yours.")):
        memory["domain_knowledge"]["project_specific_context"]["architecture_patterns"].append(said)
        manager.save_agent_memory(ME, memory)

    known = known_to(manager)["project_specific_context"]
    assert sorted(known["architecture_patterns"]) == ["Mine.", "One writer a table.", "Yours."]


def test_of_several_baselines_the_newest_counts(manager: AgentMemoryManager) -> None:
    for value in (80.0, 90.0, 80.0):
        manager.save_agent_memory(ME, set_baseline(manager.load_agent_memory(ME), value))
        assert baseline(manager) == value


def test_one_memory_that_is_saved_twice_stores_both_baselines(manager: AgentMemoryManager) -> None:
    memory = manager.load_agent_memory(ME)
    for value in (80.0, 90.0):
        manager.save_agent_memory(ME, set_baseline(memory, value))
        assert baseline(manager) == value


def test_a_baseline_of_mine_follows_anothers_that_came_meanwhile(
    manager: AgentMemoryManager,
) -> None:
    manager.save_agent_memory(ME, set_baseline(manager.load_agent_memory(ME), 80.0))
    memory = manager.load_agent_memory(ME)
    manager.save_agent_memory(ME, set_baseline(manager.load_agent_memory(ME), 90.0))

    manager.save_agent_memory(ME, set_baseline(memory, 70.0))

    assert baseline(manager) == 70.0


@pytest.mark.parametrize("said", ["80", "8e1", "80.00"])
def test_a_baseline_that_the_tool_stored_in_other_words_is_the_same_number(
    manager: AgentMemoryManager, tmp_path: Path, said: str
) -> None:
    store_facts(tmp_path, ("performance_baselines.p99_ms", said))
    manager.save_agent_memory(ME, manager.load_agent_memory(ME))
    assert (baseline(manager), len(manager.export_memory()["records"])) == (80.0, 1)


def test_a_baseline_that_is_no_number_is_loaded_as_a_pattern(
    manager: AgentMemoryManager, tmp_path: Path
) -> None:
    store_facts(tmp_path, ("performance_baselines.p99_ms", "see the wiki"))
    (found,) = known_to(manager)["common_patterns"]
    assert found["description"] == "see the wiki"


def test_what_has_expired_and_still_stands_there_can_be_stored_anew(
    manager: AgentMemoryManager, tmp_path: Path
) -> None:
    learn(manager, **LEARNT)
    with closing(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)) as database:
        before = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        database.write(lambda c: c.execute(update(memory_records).values(expires_at=before)))
    assert known_to(manager)["common_patterns"] == []

    known = learn(manager, **LEARNT)

    assert len(known["common_patterns"]) == 1
    assert known["project_specific_context"] == LEARNT["project_specific_context"]


def test_a_baseline_of_before_does_not_undo_anothers(
    manager: AgentMemoryManager, caplog: pytest.LogCaptureFixture
) -> None:
    manager.save_agent_memory(ME, set_baseline(manager.load_agent_memory(ME), 80.0))
    stale = manager.load_agent_memory(ME)
    manager.save_agent_memory(ME, set_baseline(manager.load_agent_memory(ME), 90.0))

    manager.save_agent_memory(ME, stale)

    assert baseline(manager) == 90.0
    (said,) = caplog.messages
    assert said.startswith("performance_baselines.p99_ms stays 90.0, which was stored after this")


def test_a_pattern_that_was_forgotten_stays_forgotten(
    manager: AgentMemoryManager, tmp_path: Path
) -> None:
    learn(manager, common_patterns=[PATTERN])
    memory = manager.load_agent_memory(ME)
    (record,) = manager.export_memory()["records"]
    with closing(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)) as database:
        store, chosen = SqlMemoryStore(database), Selection(record_ids=[record["id"]])
        plan = store.plan_forgetting(chosen)
        store.forget(chosen, digest=plan.digest, actor=ME, reason="wrong")

    manager.save_agent_memory(ME, memory)

    assert manager.export_memory()["records"] == []


@pytest.mark.parametrize("change", [{"success_rate": 1.0}, {"frequency": 9}])
def test_what_is_changed_of_a_stored_pattern_is_said_not_to_be_stored(
    manager: AgentMemoryManager, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    (stored,) = learn(manager, common_patterns=[PATTERN])["common_patterns"]

    (after,) = learn(manager, common_patterns=[{**stored, **change}])["common_patterns"]

    assert after == stored
    (said,) = caplog.messages
    assert said.startswith("What was changed of the pattern 'retries' was not stored. Save it anew")


def test_the_memory_of_another_is_said_to_be(
    manager: AgentMemoryManager, caplog: pytest.LogCaptureFixture
) -> None:
    manager.save_agent_memory("performance-engineer", manager.load_agent_memory(ME))
    (said,) = caplog.messages
    assert said == (
        "This was the memory of 'ml-orchestrator'; it is stored as performance-engineer's."
    )


def test_a_misspelt_part_is_told_what_was_perhaps_meant(
    manager: AgentMemoryManager, caplog: pytest.LogCaptureFixture
) -> None:
    manager.save_agent_memory(ME, {"task_history": [], "optimization_insight": []})
    (said,) = caplog.messages
    assert "no part of a memory (did you mean 'optimization_insights'?)." in said


@pytest.mark.parametrize("more", [{}, {"task_history": []}])
def test_what_a_memory_does_not_have_is_named(
    manager: AgentMemoryManager, more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    specific = {"quirks": ["Odd on Mondays."], "flags": ["x"]}
    knowledge = {"known_issues": ["It leaks."], "project_specific_context": specific}
    manager.save_agent_memory(ME, {"domain_knowledge": knowledge, "mood": "good", **more})

    mood, *others = caplog.messages
    assert mood == "'mood' was left out: it is no part of a memory."
    assert [said.partition(" was left out: ")[0] for said in others] == [
        "'known_issues' in domain_knowledge", "'quirks' in project_specific_context",
    ]  # fmt: skip
    assert all(said.endswith("can be stored as knowledge with memory_save.") for said in others)


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (None, "A memory is a dictionary, not None."),
        ("x", "A memory is a dictionary, not 'x'."),
        ({"a": 1}, "A memory has task_history, optimization_insights, domain_knowledge, "
         "collaboration_patterns; this one has a."),
        ({"task_history": {}}, "task_history is a list, not {}."),
        ({"domain_knowledge": []}, "domain_knowledge is a dictionary, not []."),
    ],
)  # fmt: skip
def test_what_is_no_memory_is_refused_in_words(
    manager: AgentMemoryManager, memory: Any, said: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        manager.save_agent_memory(ME, memory)

    way = "Load one with load_my_memory, and add to that. Nothing was stored."
    assert str(refused.value) == f"{said} {way}"


def pattern(**given: Any) -> dict[str, Any]:
    return {"domain_knowledge": {"common_patterns": [{**PATTERN, **given}]}}


PATTERN_SAID = "domain_knowledge cannot be stored: common_patterns[0]:"
TASK = {"task_description": "Trained.", "outcome": "success"}


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ({"task_history": [TASK, {**TASK, "outcom": "x"}]}, "task_history[1] cannot be stored: "),
        ({"task_history": ["x"]}, "task_history[0] cannot be stored: "),
        ({"optimization_insights": [{}]}, "optimization_insights[0] cannot be stored: "),
        ({"domain_knowledge": {"common_patterns": [{"pattern_name": "x"}]}},
         "domain_knowledge cannot be stored: common_patterns[0]: 'description' is missing"),
        ({"domain_knowledge": {"project_specific_context":
          {"performance_baselines": {"p99_ms": "fast"}}}},
         "domain_knowledge cannot be stored: performance_baselines.p99_ms: it is 'fast'; a number"),
        (pattern(frequency=None), f"{PATTERN_SAID} frequency is None; it is a count from 1 on"),
        (pattern(success_rate=2), f"{PATTERN_SAID} success_rate is 2; it is a number from 0 to 1"),
        (pattern(pattern_name=5), f"{PATTERN_SAID} pattern_name is 5; it is text"),
        (pattern(pattern_name="architecture_patterns"), f"{PATTERN_SAID} pattern_name is "
         "'architecture_patterns', which has a place of its own"),
        (pattern(pattern_name="x" * 200), "domain_knowledge cannot be stored: 'xxx"),
        ({"domain_knowledge": {"project_specific_context": {"architecture_patterns": "x"}}},
         "domain_knowledge cannot be stored: architecture_patterns: it is no list"),
    ],
)  # fmt: skip
def test_one_entry_that_cannot_be_stored_is_named_and_nothing_is(
    manager: AgentMemoryManager, memory: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        manager.save_agent_memory(ME, {"task_history": [TASK], **memory})

    assert str(refused.value).startswith(said)
    assert str(refused.value).endswith("Nothing was stored.")
    assert manager.export_memory()["records"] == []


def test_a_memory_is_no_file_to_import(manager: AgentMemoryManager) -> None:
    with pytest.raises(InvalidInputError, match=r"path names a file .*, and \{'a': 1\}"):
        manager.import_memory({"a": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", [None, "Trained.", [TASK]])
def test_a_task_that_is_none_is_refused_in_words(manager: AgentMemoryManager, task: Any) -> None:
    with pytest.raises(InvalidInputError, match="Task cannot be stored: "):
        manager.add_task_to_history(ME, task)
