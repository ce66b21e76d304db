"""What a lease may be on: signs that look like a pattern and are none are refused in words."""

import string

import pytest

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.messaging.leases import LeaseBook
from ml_orchestrator.messaging.places import overlaps
from ml_orchestrator.registry.names import check_alias, check_model, is_model
from ml_orchestrator.storage.engine import Database

ME, YOU = "ml-orchestrator", "performance-engineer"


@pytest.fixture
def book(database: Database) -> LeaseBook:
    return LeaseBook(database, check_model=check_model, check_alias=check_alias)


def takes(book: LeaseBook, resource: str) -> bool:
    try:
        book.set(ME, resource, ttl_s=1)
    except InvalidInputError:
        return False
    return True


@pytest.mark.parametrize(
    "resource", ["alias:m@*", "alias:*@champion", "model:chu*", "model:m?", "model:[ab]", "model:*"]
)
def test_a_pattern_of_models_or_aliases_is_refused_with_what_covers_them(
    book: LeaseBook, resource: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        book.set(ME, resource, ttl_s=60)

    assert str(refused.value) == (
        f"Resource {resource!r}: models and aliases are named as they are; '*', '?' and '[' stand "
        "for nothing there. Take model:MODEL, which covers all aliases of one model, and one "
        "lease for each model. Patterns are for file: and data:."
    )
    assert book.live().leases == []


def test_an_alias_that_is_called_a_model_is_refused_with_how_to_write_it(book: LeaseBook) -> None:
    with pytest.raises(InvalidInputError) as refused:
        book.set(ME, "model:lz@champion", ttl_s=60)

    assert str(refused.value) == (
        "Resource 'model:lz@champion' names an alias: write alias:lz@champion, or model:lz for "
        "the model with all of its aliases."
    )


def test_each_name_that_a_model_can_have_can_be_leased_and_no_other(book: LeaseBook) -> None:
    names = [f"a{sign}b" for sign in string.punctuation + " é"] + ["nul", "Churn.v2", "9-lives"]

    assert {name for name in names if takes(book, f"model:{name}")} == set(filter(is_model, names))


@pytest.mark.parametrize("alias", ["latest", "Champion", "v1", "a b"])
def test_an_alias_that_no_model_can_have_is_refused(book: LeaseBook, alias: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{alias}'"):
        book.set(ME, f"alias:churn@{alias}", ttl_s=60)


def test_what_an_earlier_release_gave_can_be_renewed_and_given_back(database: Database) -> None:
    LeaseBook(database).set(ME, "model:my model", ttl_s=60)
    book = LeaseBook(database, check_model=check_model, check_alias=check_alias)

    assert book.set(ME, "model:my model", ttl_s=60).holder == ME
    assert book.set(ME, "model:my model", ttl_s=0).holder is None
    with pytest.raises(InvalidInputError, match="my model"):
        book.set(ME, "model:my model", ttl_s=60)
    with pytest.raises(ConflictError, match="there is none to give back"):
        book.set(ME, "model:chu*", ttl_s=0)


@pytest.mark.parametrize("name", ["data/{a,b}.csv", "{train,test}/*.csv", "part-{1..9}.csv"])
@pytest.mark.parametrize("kind", ["file", "data"])
def test_braces_that_a_shell_makes_names_of_are_refused_with_what_to_write(
    book: LeaseBook, kind: str, name: str
) -> None:
    braces = name[name.index("{") : name.index("}") + 1]
    with pytest.raises(InvalidInputError) as refused:
        book.set(ME, f"{kind}:{name}", ttl_s=60)

    assert str(refused.value) == (
        f"Resource '{kind}:{name}': {braces!r} is no pattern here; '*', '?' and [...] are. Take "
        "one lease for each name, or a '*'. If a name does hold these signs, write [{] for the "
        "'{'."
    )


@pytest.mark.parametrize(
    ("resource", "file"),
    [
        ("file:{x}.csv", "file:{x}.csv"),
        ("file:{{cookiecutter.name}}/a.csv", "file:{{cookiecutter.name}}/a.csv"),
        ("file:[{]a,b}.csv", "file:{a,b}.csv"),
    ],
)
def test_a_name_that_does_hold_braces_can_be_leased(
    book: LeaseBook, resource: str, file: str
) -> None:
    assert book.set(ME, resource, ttl_s=60).resource == resource
    assert overlaps(resource, file)
    assert not overlaps(resource, "file:a.csv")
