"""Cleaning of stored text: what hides is shown, what pretends is marked, nothing is lost."""

import doctest
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.memory.hostile import HONEST, HOSTILE, Hostile

from ml_orchestrator.text import FLAGS, clean, cleaning, cut, hidden, nesting, suspicion

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
SPELLED = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda h: h.name)
def test_a_hostile_text_is_marked(hostile: Hostile) -> None:
    assert hostile.flag in clean(hostile.text).flags


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_text_is_left_alone_and_not_marked(text: str) -> None:
    assert (clean(text).text, clean(text).flags) == (text, ())


def test_hostile_texts_are_many_and_distinct() -> None:
    assert len({h.text for h in HOSTILE}) == len({h.name for h in HOSTILE}) == len(HOSTILE) >= 40
    assert {h.flag for h in HOSTILE} == set(FLAGS)


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(ANY_TEXT)
def test_any_text_becomes_one_that_every_store_takes_and_nothing_is_lost(text: str) -> None:
    cleaned = clean(text)

    cleaned.text.encode("utf-8")
    assert not [c for c in cleaned.text if unicodedata.category(c) == "Cc" and c not in "\t\n"]
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    spelled_back = SPELLED.sub(lambda m: chr(int(m[1] or m[2] or m[3], 16)), cleaned.text)
    assert spelled_back == SPELLED.sub(lambda m: chr(int(m[1] or m[2] or m[3], 16)), unified)


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text).text
    assert clean(once).text == once


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (17, "one two  three"),  # it fits
        (14, "one two  three"),
        (13, "one two…"),  # not "one two  thr…"
        (9, "one two…"),  # the limit is at a space
        (8, "one two…"),
        (7, "one…"),
        (1, "…"),
    ],
)
def test_a_text_is_cut_after_a_word(limit: int, kept: str) -> None:
    assert cut("one two  three", limit) == kept


def test_a_word_that_is_most_of_what_fits_is_cut_itself() -> None:
    address = "https://example.org/" + "a" * 100

    assert cut(f"see {address}", 50) == f"see {address}"[:49] + "…"
    assert cut("断" * 100, 50) == "断" * 49 + "…"


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(ANY_TEXT, st.integers(1, 60))
def test_what_is_cut_keeps_to_its_limit_and_begins_as_the_text(text: str, limit: int) -> None:
    kept = cut(text, limit)

    assert len(kept) <= limit
    assert kept == text or text.startswith(kept.removesuffix("…"))


@pytest.mark.parametrize("module", [cleaning, hidden, nesting, suspicion])
def test_the_examples_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_long_text_takes_no_longer_than_its_length_asks_for() -> None:
    """A pattern that tries every start against every end would take minutes here."""
    for piece in ("ignore ", "the rules ", "approved ", "a", "\\u0041", "<", "0x41 ", "{'name': "):
        clean(piece * (20_000 // len(piece)))
