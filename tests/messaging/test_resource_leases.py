"""Leases: one holder at a time, by name, until it is given back or over."""

import doctest
import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.messaging import places
from ml_orchestrator.messaging.leases import LeaseBook
from ml_orchestrator.messaging.places import overlaps
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import resource_leases

ME, YOU = "ml-orchestrator", "performance-engineer"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Now:
    at = START


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def book(database: Database, now: Now) -> LeaseBook:
    return LeaseBook(database, now=lambda: now.at)


def test_a_lease_is_renewed_by_its_holder_and_refused_to_others(book: LeaseBook, now: Now) -> None:
    first = book.set(ME, "model:churn", ttl_s=60, note="tuning")
    now.at = START + timedelta(seconds=30)
    renewed = book.set(ME, "model:churn", ttl_s=60)

    with pytest.raises(ConflictError, match=rf"held by {ME} until 2026-01-01T00:01:30"):
        book.set(YOU, "model:churn", ttl_s=60)
    assert (renewed.token, renewed.taken_at) == (first.token, first.taken_at)
    assert [lease.holder for lease in book.live().leases] == [ME]


def test_the_token_grows_with_each_holder_and_after_each_end(book: LeaseBook, now: Now) -> None:
    tokens = [book.set(ME, "model:churn", ttl_s=10).token]
    now.at = START + timedelta(seconds=11)
    tokens.append(book.set(YOU, "model:churn", ttl_s=10).token)
    given_back = book.set(YOU, "model:churn", ttl_s=0)
    tokens.append(book.set(YOU, "model:churn", ttl_s=10).token)

    with pytest.raises(ConflictError, match="holds no lease"):
        book.set(ME, "model:other", ttl_s=0)
    assert given_back.holder is None
    assert tokens == sorted(set(tokens))
    assert [lease.holder for lease in book.live().leases] == [YOU]


@pytest.mark.parametrize(
    ("taken", "again"),
    [
        ("file:data", "file:./data"),
        ("file:/srv/data", "file://srv/data/"),
        ("data:data/raw/../a.csv", "data:data/a.csv"),
        ("model:churn", "model: churn "),
        ("alias:churn@champion", " alias:churn @ champion"),
    ],
)
def test_what_is_spelled_otherwise_is_the_same_lease(
    book: LeaseBook, now: Now, taken: str, again: str
) -> None:
    first = book.set(ME, taken, ttl_s=60)
    now.at = START + timedelta(seconds=30)
    renewed = book.set(ME, again, ttl_s=60)
    assert [lease.expires_at for lease in book.live().leases] == [renewed.expires_at]
    given_back = book.set(ME, again, ttl_s=0)

    assert (renewed.resource, renewed.token) == (first.resource, first.token)
    assert given_back.holder is None
    assert book.live().leases == []


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("file:data/*.csv", "file:data/a.csv", True),
        ("file:data/*", "file:data/sub/*.csv", True),
        ("file:a*.csv", "file:*b.csv", True),
        ("file:train/*", "file:test/*", False),
        ("file:data/a.csv", "file:data/b.csv", False),
        ("model:a*", "model:ab", False),
        ("model:a", "alias:a", False),
        ("model:a", "alias:a@champion", True),
        ("model: a ", "alias:a @ champion", True),
        ("model:a", "alias:ab@champion", False),
        ("model:a", "alias:b@a", False),
        ("model:a*", "alias:ab@champion", False),
        ("alias:a@champion", "alias:a@production", False),
        ("file:a", "alias:a@champion", False),
        ("data:builtin:iris", "data:builtin:*", True),
        ("data:builtin:iris", "data:builtin:wine", False),
        ("file:data/a.csv", "data:data/a.csv", True),
        ("file:./data//a.csv", "file:data/a.csv", True),
        ("file:data/raw/../a.csv", "file:data/a.csv", True),
        ("file:data/", "file:data/a.csv", True),
        ("file:data", "file:data/sub/*.csv", True),
        ("file:data", "file:database.csv", False),
        ("file:/srv/data", "file:/srv/data/a.csv", True),
        ("file:/", "file:/srv/data/a.csv", True),
        ("file:.", "file:data/a.csv", True),
        ("file://srv/data", "file:/srv/data", True),
        ("file:///srv/data/a.csv", "data:/srv/data", True),
        ("file:d?ta", "file:data/a.csv", True),
        ("file:d?ta", "file:delta/a.csv", False),
        ("file:d?ta/a.csv", "file:data", True),
        ("file:/s?v", "file:/srv/data/a.csv", True),
        ("file:.", "file:*.csv", True),
        ("file:.", "file:..b/a.csv", True),
        ("file:.", "data:builtin:iris", False),
        ("file:*", "data:builtin:iris", False),
        ("file:.", "file:/etc/x", False),
        ("file:.", "file:../x", False),
        ("file:*", "file:/etc/x", False),
        ("file:*", "file:../x", False),
        ("file:..", "file:data/a.csv", True),
        ("file:../data", "file:data", False),
        ("file:../data", "file:../data/a.csv", True),
        ("file:data/a.csv", "file:/srv/data/a.csv", False),
        ("file:model:a", "model:a", False),
    ],
)
def test_places_overlap_by_patterns_and_folders_models_with_their_aliases_and_names_if_equal(
    one: str, other: str, do: bool
) -> None:
    assert (overlaps(one, other), overlaps(other, one)) == (do, do)


@pytest.mark.parametrize(
    ("taken", "asked"),
    [("model:churn", "alias:churn@champion"), ("alias:churn@champion", "model:churn")],
)
def test_a_model_and_its_aliases_have_one_holder(book: LeaseBook, taken: str, asked: str) -> None:
    book.set(ME, taken, ttl_s=60)
    with pytest.raises(ConflictError, match=rf"^{taken} is held by {ME} until"):
        book.set(YOU, asked, ttl_s=60)

    both = book.set(ME, asked, ttl_s=60), book.set(YOU, "alias:other@champion", ttl_s=60)
    assert [lease.holder for lease in both] == [ME, YOU]


def test_what_an_earlier_release_let_two_hold_can_be_given_back(
    book: LeaseBook, database: Database
) -> None:
    book.set(ME, "model:churn", ttl_s=60)
    book.set(ME, "alias:churn@champion", ttl_s=60)
    theirs = resource_leases.c.resource == "alias:churn@champion"
    database.write(lambda c: c.execute(update(resource_leases).where(theirs).values(holder=YOU)))

    assert book.set(ME, "model:churn", ttl_s=0).holder is None
    assert book.set(YOU, "alias:churn@champion", ttl_s=60).holder == YOU


@pytest.mark.parametrize(
    "resource", ["churn", "model:", "door:x", "model:a\nb", "file:" + "x" * 201]
)
def test_what_names_no_resource_is_refused(book: LeaseBook, resource: str) -> None:
    with pytest.raises(InvalidInputError, match="KIND:NAME"):
        book.set(ME, resource, ttl_s=1)


@pytest.mark.parametrize("name", ["nonsense", "churn@", "@champion", "churn@@champion", "a@b@c"])
def test_a_lease_on_an_alias_names_model_and_alias(book: LeaseBook, name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is not alias:MODEL@ALIAS"):
        book.set(ME, f"alias:{name}", ttl_s=1)


def test_a_name_with_a_blank_is_held_by_its_holder(book: LeaseBook) -> None:
    book.set(ME, "model:churn", ttl_s=60)
    with pytest.raises(ConflictError, match=f"held by {ME}"):
        book.set(YOU, "model:churn ", ttl_s=60)


def test_leases_of_long_ago_go_with_a_new_one_and_their_tokens_are_not_given_again(
    book: LeaseBook, now: Now, database: Database
) -> None:
    old = [book.set(ME, f"model:m{n}", ttl_s=1).token for n in range(25)]
    now.at = START + timedelta(days=91)

    again = book.set(YOU, "model:other", ttl_s=1), book.set(YOU, "model:m0", ttl_s=1)

    query = select(resource_leases.c.resource)
    left = database.read(lambda connection: connection.scalars(query).all())
    assert sorted(left) == ["model:m0", "model:other"]
    assert again[1].token > max(old)


def _take(home: Path, agent: str, won: "multiprocessing.Queue[str]") -> None:
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    try:
        LeaseBook(database).set(agent, "alias:churn@champion", ttl_s=60)
        won.put(agent)
    except ConflictError:
        won.put("")
    database.close()


def test_of_four_processes_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    won = context.Queue()
    racers = [context.Process(target=_take, args=(tmp_path, f"agent-{n}", won)) for n in range(4)]
    for racer in racers:
        racer.start()
    found = [won.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(60)

    assert sum(bool(agent) for agent in found) == 1


def test_the_examples_hold() -> None:
    assert doctest.testmod(places).failed == 0
