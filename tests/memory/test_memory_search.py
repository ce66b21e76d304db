"""Search and digest, the same on both databases."""

import doctest

import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory import context_origin, ranking, times
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Collaboration, Insight, Knowledge, Task, UsedRecord
from ml_orchestrator.memory.requests import Filters
from ml_orchestrator.memory.search_models import FoundMemories
from ml_orchestrator.numerics import wilson
from ml_orchestrator.storage import memory_rows, page_marks
from ml_orchestrator.text import words


def insight(text: str, **given: object) -> Insight:
    fields = {"area": "training", "impact": "medium", "confidence": 0.8, **given}
    return Insight.model_validate({"insight": text, **fields})


def texts(found: FoundMemories) -> list[str]:
    return [hit.text for hit in found.hits]


@pytest.fixture
def store(shared_store: SqlMemoryStore) -> SqlMemoryStore:
    return shared_store


def test_what_holds_more_of_the_query_comes_first_and_says_why(
    store: SqlMemoryStore, agent: str
) -> None:
    said = ["isotonic calibration helped", "calibration of forests", "nothing of the kind"]
    for text in said:
        store.save(agent, insights=[insight(text)])

    found = store.search("isotonic CALIBRATION!", Filters(agent=agent))

    assert texts(found) == said[:2]
    first, second = found.hits
    assert (first.why.relevance, first.why.words) == (1.0, ["isotonic", "calibration"])
    assert second.why.relevance < 1
    assert first.why.recency == pytest.approx(1.0, abs=1e-3)
    assert first.why.weight == pytest.approx(0.56)  # medium impact x confidence 0.8
    assert first.why.usefulness == 0.5
    product = first.why.relevance * first.why.recency * first.why.weight * first.why.usefulness
    assert first.score == pytest.approx(product, abs=1e-4)


def test_impact_and_confidence_order_what_is_equally_relevant(
    store: SqlMemoryStore, agent: str
) -> None:
    for text, impact, confidence in (
        ("pruning early", "low", 1.0),
        ("pruning late", "high", 0.9),
        ("pruning never", "high", 0.2),
    ):
        store.save(agent, insights=[insight(text, impact=impact, confidence=confidence)])

    found = store.search("pruning", Filters(agent=agent))

    assert texts(found) == ["pruning late", "pruning early", "pruning never"]


def test_what_helped_before_overtakes_what_misled(store: SqlMemoryStore, agent: str) -> None:
    ids = [
        store.save(agent, insights=[insight(f"batching {word}")]).record_ids[0]
        for word in ("first", "second")
    ]
    assert texts(store.search("batching", Filters(agent=agent)))[0] == "batching second"

    for _ in range(2):
        used = [
            UsedRecord(record_id=ids[0], helped=True),
            UsedRecord(record_id=ids[1], helped=False),
        ]
        assert store.save(agent, used_records=used).unknown_records == []

    found = store.search("batching", Filters(agent=agent))
    assert texts(found) == ["batching first", "batching second"]
    assert [hit.why.usefulness for hit in found.hits] == [0.75, 0.25]  # Beta(3, 1), Beta(1, 3)


def test_an_unknown_record_that_helped_is_named_and_the_rest_is_saved(
    store: SqlMemoryStore, agent: str
) -> None:
    used = [UsedRecord(record_id="t-none", helped=True)]
    saved = store.save(agent, insights=[insight("kept")], used_records=used)

    assert saved.unknown_records == ["t-none"]
    assert store.load(agent).n_insights == 1


def test_filters_narrow_by_agent_kind_outcome_area_and_time(
    store: SqlMemoryStore, agent: str
) -> None:
    task = Task(task_description="tune the ranker", outcome="failure")
    fact = Knowledge(subject="ranker", statement="tune it monthly", source="team", confidence=1)
    store.save(agent, task=task, insights=[insight("tune depth", area="search")], knowledge=[fact])
    store.save(f"{agent}-b", insights=[insight("tune batch size")])
    middle = store.load(agent).last_updated

    def said(**given: str | None) -> list[str]:
        return sorted(texts(store.search("tune", Filters(**{"agent": agent, **given}))))

    assert said() == ["tune depth", "tune it monthly", "tune the ranker"]
    assert said(agent=f"{agent}-b") == ["tune batch size"]
    assert said(kind="knowledge") == ["tune it monthly"]
    assert said(kind="task", outcome="success") == []
    assert said(outcome="failure") == ["tune the ranker"]
    assert said(area="search") == ["tune depth"]
    store.save(f"{agent}-c", insights=[insight("tune rate", area="ra\u200bte")])  # stored clean
    assert said(agent=f"{agent}-c", area="ra\u200bte") == ["tune rate"]
    assert len(said(since=middle)) == 3
    assert said(until=middle) == []


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        ('say "hello" AND bye', '"hello" AND'),
        ("NEAR(a b) column:value*", "NEAR( column: *"),
        ("drop'; DROP TABLE memory_records; --", "'; drop --"),
        ("emoji 🙂 works", "🙂"),
        ("训练数据漂移很大", "漂移"),
        ("모델의 정확도", "정확도"),
        ("Größe über alles", "GRÖSSE uber"),
        ("точность модели", "Модели"),
        ("backslash \\ and % and _", "\\ % backslash"),
        ("nul \x00 byte", "nul byte"),
        ("tree depth 12.5", "trees 12.5"),
    ],
)
def test_any_text_can_be_looked_for_and_no_operator_acts(
    store: SqlMemoryStore, agent: str, stored: str, query: str
) -> None:
    store.save(agent, insights=[insight(stored), insight("something else entirely")])

    (hit,) = store.search(query, Filters(agent=agent)).hits
    assert hit.text == stored.replace("\x00", "\\x00")


def test_pages_follow_one_another_and_later_records_do_not_shift_them(
    store: SqlMemoryStore, agent: str
) -> None:
    for number in range(7):
        store.save(agent, insights=[insight(f"fold number {number}", confidence=0.9)])
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        page = store.search("fold", Filters(agent=agent), limit=3, cursor=cursor)
        seen += texts(page)
        store.save(agent, insights=[insight("fold that came late", confidence=1)])
        if (cursor := page.next_cursor) is None:
            break

    assert seen == [f"fold number {n}" for n in reversed(range(7))]
    with pytest.raises(InvalidInputError, match="next_cursor"):
        store.search("fold", Filters(), cursor="3/0; DROP")


def test_without_a_query_the_newest_come_first_whatever_their_score(
    store: SqlMemoryStore, agent: str
) -> None:
    for number in range(5):
        confidence = 1 - number / 10  # the older, the better it would rank
        store.save(agent, insights=[insight(f"number {number}", confidence=confidence)])
    mine = Filters(agent=agent)

    first = store.search(None, mine, limit=2)
    store.save(agent, insights=[insight("later than the first page")])
    second = store.search(None, mine, limit=2, cursor=first.next_cursor)
    third = store.search(None, mine, limit=2, cursor=second.next_cursor)

    assert texts(first) + texts(second) + texts(third) == [f"number {n}" for n in (4, 3, 2, 1, 0)]
    assert (first.words, first.n_ranked, third.next_cursor) == ([], 5, None)
    for hit in first.hits:
        why = hit.why
        assert (why.relevance, why.words) == (1.0, [])
        product = why.relevance * why.recency * why.weight * why.usefulness
        assert hit.score == pytest.approx(product, abs=1e-4)


def test_a_digest_tells_what_worked_what_failed_and_whom_to_ask(
    store: SqlMemoryStore, agent: str
) -> None:
    for number, outcome in enumerate(["success", "success", "failure", "partial"]):
        task = Task.model_validate(
            {"task_description": f"polish zebra ranker, try {number}", "outcome": outcome}
        )
        store.save(f"{agent}-{number % 2}", task=task)
    store.save(agent, insights=[insight("zebra ranker likes shallow trees")])
    for collaborator, task_type, success in (
        ("data-pipeline-specialist", "zebra features", True),
        ("performance-engineer", "latency", True),
        ("performance-engineer", "latency", True),
    ):
        work = Collaboration(collaborator=collaborator, success=success, task_type=task_type)
        store.save(agent, collaborations=[work])

    found = store.digest(agent, "Polish the zebra ranker once more")

    assert found.about == "similar tasks of all agents"
    assert found.success.model_dump() == {"rate": 0.5, "low": 0.15, "high": 0.85, "n": 4}
    assert {lesson.text for lesson in found.worked} == {
        "polish zebra ranker, try 0",
        "polish zebra ranker, try 1",
    }
    assert len(found.failed) == 2
    assert [lesson.text for lesson in found.known] == ["zebra ranker likes shallow trees"]
    assert [(a.agent_name, a.success.n) for a in found.ask] == [
        ("data-pipeline-specialist", 1),
        ("performance-engineer", 2),
    ]


def test_a_digest_follows_what_is_stored_and_says_when_nothing_is_similar(
    store: SqlMemoryStore, agent: str
) -> None:
    store.save(agent, task=Task(task_description="walrus clustering", outcome="failure"))

    similar = store.digest(agent, "walrus clustering again")
    other = store.digest(agent, "xylophone forecasting")
    own = store.digest(agent)

    assert (similar.success.rate, similar.success.n) == (0.0, 1)
    assert other.success.model_dump() == {"rate": None, "low": 0.0, "high": 1.0, "n": 0}
    assert (other.worked, other.failed, other.known) == ([], [], [])
    assert (own.about, own.success.n) == ("all of your own", 1)


@pytest.mark.parametrize(
    "module", [context_origin, ranking, times, wilson, words, memory_rows, page_marks]
)
def test_the_examples_hold(module: object) -> None:
    flags = doctest.ELLIPSIS
    assert doctest.testmod(module, optionflags=flags).failed == 0  # type: ignore[arg-type]
