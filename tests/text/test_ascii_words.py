"""Plain English is split by a quicker pattern, into the same words."""

from hypothesis import given
from hypothesis import strategies as st

from ml_orchestrator.text.words import words_of

FOREIGN = "für"  # a text with it is split by the full pattern


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_plain_english_has_the_words_that_it_has_among_other_letters(text: str) -> None:
    assert words_of(text) == words_of(f"{text} {FOREIGN}")[:-1]
