"""What is kept, merged, marked and forgotten, the same on both databases."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.memory import retention
from ml_orchestrator.memory._files import FORMAT
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight, Knowledge, Task, UsedRecord
from ml_orchestrator.memory.requests import Filters, Origin, Selection
from ml_orchestrator.memory.transfer import export_memory, import_memory
from ml_orchestrator.storage.agents import seen_agents
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.memory_rows import record_id
from ml_orchestrator.storage.schema import memory_past, memory_records

LIMIT = 30  # of the shared store


@pytest.fixture
def store(shared_store: SqlMemoryStore) -> SqlMemoryStore:
    return shared_store


def task(text: str, outcome: str = "success") -> Task:
    return Task.model_validate({"task_description": text, "outcome": outcome})


def insight(text: str, confidence: float = 0.5) -> Insight:
    return Insight(area="training", insight=text, impact="high", confidence=confidence)


def became(store: SqlMemoryStore, id_: str) -> tuple[str, str | None]:
    query = select(memory_past.c.how, memory_past.c.became).where(memory_past.c.id == id_)
    how, successor = store.database.read(lambda c: c.execute(query).one())
    return how, successor


def test_every_record_says_who_stored_it_when_in_which_session_by_what(
    store: SqlMemoryStore, agent: str
) -> None:
    origin = Origin(tool="memory_save", session="claude-code/1", source="agent")
    fact = Knowledge(subject="age", statement="in years", source="the bank", confidence=0.9)
    saved = store.save(agent, knowledge=[fact], origin=origin)

    (found,) = store.load(agent).domain_knowledge

    assert found.model_dump() == {
        "record_id": saved.record_ids[0],
        "flags": [],
        "is_pinned": False,
        "n_merged": 1,
        "first_at": saved.saved_at,
        "n_helped": 0,
        "n_misled": 0,
        "saved_by": {
            "agent": agent,
            "session": "claude-code/1",
            "tool": "memory_save",
            "source": "agent",
            "at": saved.saved_at,
        },
        "subject": "age",
        "statement": "in years",
        "source": "the bank",
        "confidence": 0.9,
        "noted_at": saved.saved_at,
    }


def test_the_same_finding_is_kept_once_with_its_history(store: SqlMemoryStore, agent: str) -> None:
    first = store.save(agent, insights=[insight("Trees beat the lines: 0.71", 0.5)])
    used = [UsedRecord(record_id=first.record_ids[0], helped=True)]
    second = store.save(agent, insights=[insight("trees BEAT lines (0.71)", 0.9)])
    third = store.save(agent, insights=[insight("tree beats... no: trees beat lines 0.71!", 0.1)])
    late = store.save(agent, used_records=used)

    newest, merged = store.load(agent).optimization_insights
    assert (second.n_merged, third.n_merged, late.unknown_records) == (1, 0, [])
    assert (merged.insight, merged.confidence, merged.n_merged) == (
        "trees BEAT lines (0.71)",
        0.9,
        2,
    )
    assert (merged.first_at, merged.n_helped) == (first.saved_at, 1)
    assert became(store, first.record_ids[0]) == ("merged", second.record_ids[0])
    assert newest.n_merged == 1


def test_a_hit_names_what_was_merged_into_it_and_where_that_came_from(
    store: SqlMemoryStore, agent: str
) -> None:
    saved = [
        store.save(
            agent,
            insights=[insight(f"Caching halves latency{'!' * n}")],
            origin=Origin(tool=f"tool-{n}", session=f"session-{n}", source=f"source-{n}"),
        )
        for n in range(5)
    ]

    (hit,) = store.search("caching", Filters(agent=agent)).hits

    assert (hit.record_id, hit.n_merged) == (saved[4].record_ids[0], 5)
    assert hit.first_at == saved[0].saved_at
    assert [earlier.model_dump() for earlier in hit.merged] == [
        {
            "record_id": saved[n].record_ids[0],
            "at": saved[n].saved_at,
            "session": f"session-{n}",
            "tool": f"tool-{n}",
            "source": f"source-{n}",
        }
        for n in (3, 2, 1)
    ]


def traces(store: SqlMemoryStore, ids: Sequence[str]) -> list[tuple[str | None, ...]]:
    """What is kept of where records that are gone came from: how, session, tool, source."""
    past = memory_past.c
    query = select(past.how, past.session, past.tool, past.source).where(past.id.in_(ids))
    return sorted(tuple(row) for row in store.database.read(lambda c: c.execute(query).all()))


def test_of_a_forgotten_record_the_source_is_not_kept(store: SqlMemoryStore, agent: str) -> None:
    origin = Origin(tool="memory_save", session="private session", source="agent")
    ids = [
        store.save(agent, insights=[insight(f"private{'!' * n}")], origin=origin).record_ids[0]
        for n in range(3)
    ]
    other = [
        store.save(agent, insights=[insight(f"common{'!' * n}")], origin=origin).record_ids[0]
        for n in range(2)
    ]
    first_of_all = record_id("insight", agent, "as an import of earlier releases left it")
    known = {"how": "merged", "created_at": "t", "removed_at": "t", "removed_by": agent}
    row = {**known, "id": first_of_all, "became": ids[0], "session": "s", "tool": "t"}
    store.database.write(lambda c: c.execute(insert(memory_past).values(row)))
    chosen = Selection(record_ids=[ids[2]])
    digest = store.plan_forgetting(chosen).digest
    store.forget(chosen, digest=digest, actor=agent, reason="a test")

    nothing = (None, None, None)
    assert traces(store, [first_of_all, *ids]) == [("forgotten", *nothing)] + 3 * [
        ("merged", *nothing)
    ]
    assert traces(store, other) == [("merged", "private session", "memory_save", "agent")]
    assert became(store, ids[0]) == ("merged", ids[2])


def test_of_records_that_expire_or_are_too_much_the_source_is_not_kept_either(
    store: SqlMemoryStore, agent: str
) -> None:
    origin = Origin(tool="memory_save", session="private session", source="agent")
    ids = []
    for n in range(2):
        saved = store.save(
            agent,
            task=task(f"step {n}"),
            insights=[insight(f"private{'!' * n}")],
            expires_in_days=1,
            origin=origin,
        )
        ids += saved.record_ids
    past = update(memory_records).where(memory_records.c.id.in_(ids)).values(expires_at="2026")
    store.database.write(lambda c: c.execute(past))
    many = [store.save(agent, task=task(f"t {n}"), origin=origin) for n in range(LIMIT + 1)]

    gone = traces(store, [*ids, *(id_ for saved in many for id_ in saved.record_ids)])
    nothing = (None, None, None)
    assert gone == [("expired", *nothing)] * 3 + [("limit", *nothing), ("merged", *nothing)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("AUC changed by 0.02", "AUC changed by -0.02"),
        ("trees beat lines", "lines beat trees"),
        ("depth 4 helped", "depth 4 did not help"),
        ("AUC 0.71", "AUC 0.72"),
        ("error < 5", "error > 5"),
        ("loss 1.5", "loss 15"),
        *(("keep rows where a != b", f"keep rows where a {sign} b") for sign in ("==", "<>", "~=")),
        *((f"a{one}b feature", f"a{other}b feature") for one, other in ("+-", "*/", "&|", "/\\")),
        ("lr 1e-5 good", "lr 1e+5 good"),
        ("use .5 x", "use 5 x"),
        ("grow by +5%", "grow by 5%"),
        ("use -x col", "use x col"),
        ("1,000 rows", "1.000 rows"),
        ("use ~0.5 here", "use 0.5 here"),
        ("costs $5", "costs €5"),
        ("use x^2 term", "use x 2 term"),
        ("!flag set", "flag set"),
        ("¬A ok", "A ok"),
        ("a ∈ S", "a ∉ S"),
        ("C++ is fast", "C is fast"),
        ("C# is slow", "C is slow"),
        ("error <= 5", "error < 5"),
        ("@champion better", "champion better"),
        ("is this model good?", "this model is good"),
        ("a+b c", "a b+c"),
    ],
)
def test_findings_that_differ_in_meaning_stay_apart(
    store: SqlMemoryStore, agent: str, one: str, other: str
) -> None:
    store.save(agent, insights=[insight(one)])
    store.save(agent, insights=[insight(other)])

    assert store.load(agent).n_insights == 2


def test_of_what_one_call_says_twice_the_later_words_count(
    store: SqlMemoryStore, agent: str
) -> None:
    once = Insight(area="one", insight="X is good", impact="low", confidence=0.1)
    again = Insight(area="one", insight="x is GOOD!", impact="high", confidence=0.9)

    saved = store.save(agent, insights=[once, again])

    (found,) = store.load(agent).optimization_insights
    assert (found.insight, found.impact, found.n_merged) == ("x is GOOD!", "high", 2)
    assert saved.record_ids == [found.record_id] * 2
    assert [hit.text for hit in store.search("good", filters=Filters(agent=agent)).hits] == [
        "x is GOOD!"
    ]


def test_an_end_that_what_was_known_without_one_does_not_get_is_told(
    store: SqlMemoryStore, agent: str
) -> None:
    store.save(agent, insights=[insight("permanent")])
    again = store.save(agent, insights=[insight("Permanent!")], expires_in_days=1)
    new = store.save(agent, insights=[insight("for a day")], expires_in_days=1)

    (said,) = again.notices
    assert said.startswith("What was stored without an end before still has none")
    assert new.notices == []


def test_records_that_there_are_not_are_told(store: SqlMemoryStore, agent: str) -> None:
    used = [UsedRecord(record_id="i-none", helped=True)]
    saved = store.save(agent, pin=["nope"], used_records=used)
    assert saved.unknown_records == ["i-none", "nope"]
    assert saved.notices == ["No record is called 'i-none', 'nope'. All else was saved."]


def test_equal_tasks_are_two_tasks_and_equal_findings_of_two_agents_are_two(
    store: SqlMemoryStore, agent: str
) -> None:
    for _ in range(2):
        store.save(agent, task=task("nightly check"))
    store.save(agent, insights=[insight("same")])
    store.save(f"{agent}-b", insights=[insight("same")])

    assert (store.load(agent).n_tasks, store.load(f"{agent}-b").n_insights) == (2, 1)


def test_beyond_the_limit_the_least_useful_of_the_oldest_go_and_the_rate_stays(
    store: SqlMemoryStore, agent: str
) -> None:
    kept = store.save(agent, task=task("pinned", "failure"), pinned=True)
    useful = store.save(agent, task=task("useful", "failure")).record_ids[0]
    store.save(agent, used_records=[UsedRecord(record_id=useful, helped=True)])
    for number in range(LIMIT + 3):
        store.save(agent, task=task(f"number {number}"))

    memory = store.load(agent, limit=50)

    said = [found.task_description for found in memory.task_history]
    assert (memory.n_tasks, len(said)) == (LIMIT, LIMIT)
    assert said[-3:] == ["number 5", "useful", "pinned"]
    assert kept.record_ids[0] in {found.record_id for found in memory.task_history}
    assert store.digest(agent).success.n == LIMIT + 5
    assert "number 0" not in [h.text for h in store.search("number 0", Filters(agent=agent)).hits]


def test_a_record_is_pinned_later_by_any_of_its_ids_and_let_go_again(
    store: SqlMemoryStore, agent: str
) -> None:
    ids = [store.save(agent, task=task(f"old {n}")).record_ids[0] for n in range(2)]
    first, again = (store.save(agent, insights=[insight(t)]).record_ids[0] for t in ("A", "a!"))

    pinned = store.save(agent, pin=[ids[0], first, "t-none"], unpin=["i-none", "t-none-either"])
    for number in range(LIMIT):
        store.save(agent, task=task(f"number {number}"))

    memory = store.load(agent, limit=50)
    assert pinned.unknown_records == ["t-none", "i-none", "t-none-either"]
    assert [t.record_id for t in memory.task_history if t.is_pinned] == [ids[0]]
    assert ids[1] not in {t.record_id for t in memory.task_history}
    (kept,) = memory.optimization_insights
    assert (kept.record_id, kept.is_pinned) == (again, True)

    store.save(agent, unpin=[ids[0], first])
    store.save(agent, task=task("one more"))
    after = store.load(agent, limit=50)
    assert ids[0] not in {t.record_id for t in after.task_history}
    assert not after.optimization_insights[0].is_pinned


def test_what_is_to_be_pinned_and_unpinned_at_once_is_refused(
    store: SqlMemoryStore, agent: str
) -> None:
    id_ = store.save(agent, task=task("x")).record_ids[0]

    with pytest.raises(InvalidInputError, match=id_):
        store.save(agent, task=task("y"), pin=[id_], unpin=[id_])

    assert store.load(agent).n_tasks == 1


def test_expired_records_are_not_shown_and_go_with_a_later_save(
    store: SqlMemoryStore, agent: str
) -> None:
    id_ = store.save(agent, task=task("short lived"), expires_in_days=1).record_ids[0]
    assert store.load(agent).n_tasks == 1
    past = update(memory_records).where(memory_records.c.id == id_)
    store.database.write(
        lambda c: c.execute(past.values(expires_at="2020-01-01T00:00:00.000000+00:00"))
    )

    assert store.load(agent).task_history == []
    assert store.search("lived", Filters(agent=agent)).hits == []
    store.save(agent, task=task("next"))

    assert store.load(agent).n_tasks == 1
    assert became(store, id_) == ("expired", None)


def test_forgetting_is_planned_bound_to_its_plan_and_remembered_as_such(
    store: SqlMemoryStore, agent: str
) -> None:
    ids = store.save(agent, insights=[insight("wrong"), insight("right")]).record_ids
    pinned = store.save(agent, insights=[insight("pinned")], pinned=True).record_ids
    selection = Selection(record_ids=[*ids[:1], *pinned, "i-none"])

    plan = store.plan_forgetting(selection)
    assert store.load(agent).n_insights == 3
    with pytest.raises(ConflictError, match="dry_run"):
        store.forget(selection, digest="0" * 64, actor=agent, reason="test")
    done = store.forget(selection, digest=plan.digest, actor="ml-orchestrator", reason="wrong")

    assert [r.text for r in plan.records] == ["wrong"]
    assert (plan.pinned, plan.unknown, plan.has_more) == (pinned, ["i-none"], False)
    assert plan.effects == [
        f"{agent}: insight records 3 -> 2",
        "1 pinned record stays. Set with_pinned to forget pinned ones, too.",
    ]
    assert (done.is_done, done.plan) == (True, plan)
    assert {i.insight for i in store.load(agent).optimization_insights} == {"right", "pinned"}
    assert store.search("wrong", Filters(agent=agent)).hits == []
    assert became(store, ids[0]) == ("forgotten", None)


@pytest.mark.parametrize(
    ("is_pinned", "said"),
    [
        (False, "Nothing is forgotten: no record fits."),
        (
            True,
            "Nothing is forgotten: 1 pinned record stays. Set with_pinned to forget pinned ones, "
            "too.",
        ),
    ],
)
def test_a_plan_of_nothing_says_why_and_is_not_done(
    store: SqlMemoryStore, agent: str, is_pinned: bool, said: str
) -> None:
    pinned = store.save(agent, insights=[insight("pinned")], pinned=True).record_ids
    selection = Selection(record_ids=pinned if is_pinned else ["i-none"])

    plan = store.plan_forgetting(selection)
    done = store.forget(selection, digest=plan.digest, actor=agent, reason="test")

    assert plan.effects == [said]
    assert (done.is_done, done.forgotten_at, done.plan) == (False, None, plan)


def test_pinned_records_do_not_stand_before_those_that_may_go(
    store: SqlMemoryStore, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_FORGOTTEN", 3)
    store.save(agent, insights=[insight(f"pinned {n}") for n in range(5)], pinned=True)
    store.save(agent, insights=[insight(f"may go {n}") for n in range(4)])
    selection = Selection(of_agent=agent, kind="insight")

    first = store.plan_forgetting(selection)
    store.forget(selection, digest=first.digest, actor=agent, reason="test")
    last = store.plan_forgetting(selection)

    assert [r.text for r in first.records] == ["may go 0", "may go 1", "may go 2"]
    assert [r.text for r in last.records] == ["may go 3"]
    assert (first.has_more, last.has_more) == (True, False)
    assert (len(first.pinned), len(last.pinned)) == (0, 2)


def test_a_plan_that_is_out_of_date_forgets_nothing(store: SqlMemoryStore, agent: str) -> None:
    store.save(agent, insights=[insight("one")])
    selection = Selection(of_agent=agent, kind="insight")
    plan = store.plan_forgetting(selection)
    store.save(agent, insights=[insight("two")])

    with pytest.raises(ConflictError, match="not what would be forgotten now"):
        store.forget(selection, digest=plan.digest, actor=agent, reason="test")
    with pytest.raises(InvalidInputError, match="record_ids"):
        store.plan_forgetting(Selection())

    assert store.load(agent).n_insights == 2


def test_an_export_read_back_gives_the_same_memory_and_twice_changes_nothing(
    store: SqlMemoryStore, agent: str, tmp_path: Path
) -> None:
    store.save(agent, task=task("done", "failure"), insights=[insight("a\x00b"), insight("c")])
    store.save(agent, insights=[insight("C.")])
    origin = Origin(tool="context_update", session="claude/1")
    content = {"goal": agent}
    store.put_shared_context(content, expected_revision=revision(store), actor=agent, origin=origin)
    file = tmp_path / "memory.json"
    file.write_text(json.dumps(export_memory(store.database)), encoding="utf-8")
    other = SqlMemoryStore(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path))

    first = import_memory(other.database, file)
    once = export_memory(other.database)
    second = import_memory(other.database, file)
    here = import_memory(store.database, file)

    assert first.skipped == second.skipped == here.skipped == []
    assert (second.n_added, here.n_added) == (0, 0)
    assert other.load(agent) == store.load(agent)
    context = other.shared_context()
    assert (context.content, context.updated_by) == (content, agent)
    assert (context.session, context.tool) == ("claude/1", "context_update")
    twice = export_memory(other.database)
    assert {**twice, "exported_at": None} == {**once, "exported_at": None}
    other.database.close()


def test_where_merged_records_came_from_is_exported_and_read_back(
    store: SqlMemoryStore, agent: str, tmp_path: Path
) -> None:
    for n in range(3):
        origin = Origin(tool=f"tool-{n}", session=f"session-{n}", source=f"source-{n}")
        store.save(agent, insights=[insight(f"Caching halves{'!' * n}")], origin=origin)
    file = tmp_path / "memory.json"
    file.write_text(json.dumps(export_memory(store.database)), encoding="utf-8")
    other = SqlMemoryStore(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path))

    import_memory(other.database, file)

    (here,), (there,) = (s.search("caching", Filters(agent=agent)).hits for s in (store, other))
    assert [earlier.session for earlier in there.merged] == ["session-1", "session-0"]
    assert there.merged == here.merged
    exports = [export_memory(s.database)["records"] for s in (store, other)]
    one, again = ([item for item in items if item["agent"] == agent] for items in exports)
    assert again == one
    other.database.close()


@pytest.mark.parametrize("name", ["merged_ids", "merged"])
def test_ids_of_merged_records_alone_as_earlier_releases_exported_them_are_read(
    store: SqlMemoryStore, agent: str, tmp_path: Path, name: str
) -> None:
    ids = [store.save(agent, insights=[insight(f"same{'!' * n}")]).record_ids[0] for n in range(2)]
    content = export_memory(store.database)
    for record in content["records"]:
        record[name] = [earlier["id"] for earlier in record.pop("merged")]
    file = tmp_path / "memory.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    other = SqlMemoryStore(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path))

    done = import_memory(other.database, file)

    (hit,) = other.search("same", Filters(agent=agent)).hits
    assert (done.skipped, hit.record_id) == ([], ids[1])
    nothing = {"session": None, "tool": None, "source": None}
    assert [e.model_dump() for e in hit.merged] == [
        {"record_id": ids[0], "at": hit.at, **nothing}  # when it was is not known
    ]
    other.database.close()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [({"source": "x" * 201}, "source"), ({"session": ["s"]}, "session"), ({"id": 7}, "string")],
)
def test_a_merged_record_with_an_origin_no_tool_would_give_is_named(
    store: SqlMemoryStore, agent: str, tmp_path: Path, wrong: dict[str, object], complaint: str
) -> None:
    for n in range(2):
        store.save(agent, insights=[insight(f"same{'!' * n}")])
    content = export_memory(store.database)
    mine = [record for record in content["records"] if record["agent"] == agent]
    mine[0]["merged"][0].update(wrong)
    file = tmp_path / "memory.json"
    file.write_text(json.dumps({**content, "records": mine}), encoding="utf-8")
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)

    done = import_memory(database, file)

    assert (done.n_added, len(done.skipped)) == (0, 1)
    assert complaint in done.skipped[0]
    database.close()


def test_a_damaged_record_of_an_export_is_named_and_the_others_are_taken(
    store: SqlMemoryStore, agent: str, tmp_path: Path
) -> None:
    store.save(agent, insights=[insight("whole"), insight("damaged")])
    content = export_memory(store.database)
    for record in content["records"]:
        if record["payload"].get("insight") == "damaged":
            record["n_merged"] = "many"
    content["records"] += ["no record", {"kind": "insight", "agent": "stranger"}]
    file = tmp_path / "memory.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)

    done = import_memory(database, file)

    assert (done.n_added, len(done.skipped)) == (len(content["records"]) - 3, 3)
    place = next(n for n, r in enumerate(content["records"]) if r.get("n_merged") == "many")
    said = f"memory.json: records[{place}]: invalid literal for int() with base 10: 'many'"
    assert said in done.skipped
    other = SqlMemoryStore(database)
    assert [found.insight for found in other.load(agent).optimization_insights] == ["whole"]
    assert "stranger" not in database.read(seen_agents)
    database.close()


def test_a_shared_context_that_is_no_object_is_left_out_and_named(tmp_path: Path) -> None:
    context = {"content": [1], "updated_by": "\u200bme"}
    content = {"format": FORMAT, "version": 1, "records": [], "collaborations": []}
    file = tmp_path / "memory.json"
    file.write_text(json.dumps({**content, "shared_context": context}), encoding="utf-8")
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)

    refused = import_memory(database, file)
    file.write_text(json.dumps({**content, "shared_context": {**context, "content": {"a": 1}}}))
    import_memory(database, file)

    assert refused.notes == ["The shared context was left out. Its content is no JSON object."]
    kept = SqlMemoryStore(database).shared_context()
    assert (kept.content, kept.updated_by) == ({"a": 1}, "\\u200bme")
    database.close()


def revision(store: SqlMemoryStore) -> int:
    return store.shared_context().revision


def test_a_finding_that_was_merged_is_not_added_again_by_an_older_export(
    store: SqlMemoryStore, agent: str, tmp_path: Path
) -> None:
    store.save(agent, insights=[insight("same")])
    older, newer = tmp_path / "older.json", tmp_path / "newer.json"
    older.write_text(json.dumps(export_memory(store.database)), encoding="utf-8")
    store.save(agent, insights=[insight("Same!")])
    newer.write_text(json.dumps(export_memory(store.database)), encoding="utf-8")
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)

    for file in (older, newer, older, newer):
        import_memory(database, file)

    (found,) = SqlMemoryStore(database).load(agent).optimization_insights
    assert (found.insight, found.n_merged) == ("Same!", 2)
    database.close()


@pytest.mark.parametrize(
    ("first", "again", "lasts"), [(4, 1, 4), (1, 4, 4), (1, None, None), (None, 1, None)]
)
def test_what_is_said_again_lasts_as_long_as_the_longer_of_both(
    store: SqlMemoryStore, agent: str, first: float | None, again: float | None, lasts: float | None
) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    timed = SqlMemoryStore(store.database, now=lambda: now[0])
    for days in (first, again):
        timed.save(agent, insights=[insight("said twice")], expires_in_days=days)
        now[0] += timedelta(seconds=1)

    now[0] += timedelta(days=lasts or 1_000) - timedelta(hours=1)
    assert len(timed.load(agent).optimization_insights) == 1
    now[0] += timedelta(hours=2)
    assert len(timed.load(agent).optimization_insights) == (1 if lasts is None else 0)


def test_what_was_merged_into_a_record_that_is_gone_is_unknown(
    store: SqlMemoryStore, agent: str
) -> None:
    ids = [store.save(agent, insights=[insight("twice")]).record_ids[0] for _ in range(2)]
    plan = store.plan_forgetting(Selection(record_ids=ids[1:]))
    store.forget(Selection(record_ids=ids[1:]), digest=plan.digest, actor="x", reason="test")

    saved = store.save(agent, used_records=[UsedRecord(record_id=ids[0], helped=True)], pin=ids)

    assert saved.unknown_records == ids
