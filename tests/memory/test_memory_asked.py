"""What a search takes for a query, filters and a cursor; what it refuses, and in which words."""

import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight
from ml_orchestrator.memory.requests import Filters


@pytest.fixture
def store(shared_store: SqlMemoryStore) -> SqlMemoryStore:
    return shared_store


def save(store: SqlMemoryStore, agent: str, *texts: str) -> None:
    for text in texts:
        fields = {"area": "training", "impact": "medium", "confidence": 0.8, "insight": text}
        store.save(agent, insights=[Insight.model_validate(fields)])


@pytest.mark.parametrize("query", ["", "  \t", None])
def test_without_a_query_or_with_a_blank_one_the_newest_come(
    store: SqlMemoryStore, agent: str, query: str | None
) -> None:
    save(store, agent, "quokka one", "quokka two")

    found = store.search(query, Filters(agent=agent))

    assert ([hit.text for hit in found.hits], found.words) == (["quokka two", "quokka one"], [])


@pytest.mark.parametrize("query", ["!!!", "'", '"', "()", "\x00", "&|!:*", "-", " * "])
def test_a_query_in_which_nothing_can_be_looked_for_is_refused(
    store: SqlMemoryStore, agent: str, query: str
) -> None:
    save(store, agent, "a * - b")

    with pytest.raises(InvalidInputError) as refused:
        store.search(query, Filters(agent=agent))

    assert str(refused.value) == (
        f"Nothing in the query {query!r} can be looked for: no letter, digit or emoji. Give words, "
        "or leave query out for the newest records."
    )


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (Filters(since="2026-02-01", until="2026-01-01"), "earlier than until"),
        (Filters(since="2026-01-01", until="2026-01-01"), "earlier than until"),
        (Filters(kind="insight", outcome="failure"), "Only tasks have an outcome"),
        (Filters(kind="task", area="training"), "Tasks have no area"),
        (Filters(outcome="failure", area="training"), "Tasks have no area"),
    ],
)
def test_filters_that_no_record_can_meet_are_refused(
    store: SqlMemoryStore, filters: Filters, words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        store.search(None, filters)


def test_an_agent_that_nobody_is_called_is_told_the_most_similar(
    store: SqlMemoryStore, agent: str
) -> None:
    save(store, agent, "quokka")

    misspelt = store.search(None, Filters(agent="performence-engineer"))
    nothing_yet = store.search(None, Filters(agent="performance-engineer"))
    found = store.search(None, Filters(agent=agent))

    (notice,) = misspelt.notices
    assert notice.startswith(
        "No agent named 'performence-engineer' (did you mean 'performance-engineer'?) is known "
        "here; known: agent-"
    )
    assert (misspelt.hits, nothing_yet.notices, found.notices) == ([], [], [])


@pytest.mark.parametrize("other", ["another query", "other filters", "no query"])
def test_a_cursor_of_another_search_is_refused(
    store: SqlMemoryStore, agent: str, other: str
) -> None:
    save(store, agent, "quokka one", "quokka two", "quokka three")
    mine = Filters(agent=agent)
    cursor = store.search("quokka", mine, limit=1).next_cursor
    query, filters = {
        "another query": ("quokkas and koalas", mine),
        "other filters": ("quokka", Filters(agent=agent, kind="insight")),
        "no query": (None, mine),
    }[other]

    with pytest.raises(InvalidInputError) as refused:
        store.search(query, filters, limit=1, cursor=cursor)

    assert str(refused.value) == (
        f"Cursor {cursor!r} is of a search for something else. Pass it with the query and filters "
        "of the page before, or leave it out to start."
    )
    assert len(store.search("quokka", mine, limit=1, cursor=cursor).hits) == 1


@pytest.mark.parametrize("cursor", ["2-15-0123abcd", "1/5/2026-01-01T00:00:00.000000+00:00", "x"])
def test_a_cursor_of_another_tool_or_release_is_refused_with_what_to_pass(
    store: SqlMemoryStore, cursor: str
) -> None:
    with pytest.raises(InvalidInputError, match=r"no cursor of memory_search\. Pass next_cursor"):
        store.search(None, Filters(), cursor=cursor)
