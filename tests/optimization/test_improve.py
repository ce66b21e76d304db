"""Prompts made better: what is changed, what is not, and what is said about it."""

import pytest

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.optimization.improve import candidates, improve
from ml_orchestrator.optimization.reading_patterns import COMPONENTS

CLASSIFY = "Please classify this review as positive, negative or neutral: {review}"


def test_a_rule_set_is_applied_in_its_declared_order_and_accounted_for() -> None:
    result = improve(CLASSIFY, ["uncertainty", "output_contract", "brevity"])
    assert [each.rule for each in result.applied] == ["brevity", "output_contract", "uncertainty"]
    assert "exactly one of these labels and nothing else: positive, negative, neutral." in (
        result.text
    )
    assert result.text.startswith("Classify this review as positive, negative or neutral: {review}")
    assert result.diff.startswith("--- given\n+++ improved\n")
    assert result.score_after > result.score_before
    assert (result.level, result.questions, result.skipped) == ("L0", (), ())


def test_limits_hold_rules_back_with_the_reason() -> None:
    one = improve(CLASSIFY, max_rules=1)
    assert [each.rule for each in one.applied] == ["brevity"]
    assert one.skipped[0].reason == "max_rules=1 is reached."
    short = improve(CLASSIFY, ["brevity", "output_contract"], max_added_words=0)
    assert [each.rule for each in short.skipped] == ["output_contract"]
    silent = improve("Summarise {text}.", ["output_contract"], may_ask=False)
    assert (silent.text, silent.skipped[0].reason) == (
        "Summarise {text}.",
        "It needs something that only the author knows.",
    )


def test_what_only_the_author_knows_is_asked() -> None:
    result = improve("Summarise {text}.", ["output_contract"])
    assert "[FILL IN: how many]" in result.text
    assert result.questions == ("How many?",)


@pytest.mark.parametrize(
    "prompt",
    ["Fasse den Text bitte zusammen: {text}", "请总结下面的文章: {text}", "Résume le texte, etc."],
)
def test_no_english_is_put_into_prompts_of_other_languages(prompt: str) -> None:
    result = improve(prompt)
    assert (result.text, result.diff, result.applied) == (prompt, "", ())
    assert result.note is not None


def test_candidates_are_the_rules_that_apply_as_it_stands() -> None:
    assert set(candidates(CLASSIFY, ["brevity", "clarity", "uncertainty"])) == {
        "brevity",
        "uncertainty",
    }


def test_bad_input_is_refused_with_what_would_do() -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        improve(" \n")
    with pytest.raises(InvalidInputError, match="20,001 characters"):
        improve("a" * 20_001)
    with pytest.raises(InvalidInputError, match="max_rules is -1"):
        improve("x", max_rules=-1)
    with pytest.raises(NotFoundError, match="known: brevity"):
        improve("x", ["magic"])


def test_a_long_number_is_looked_at_from_its_beginning_alone() -> None:
    _, length = COMPONENTS["length"]
    assert length.search("in 1,200 words")
    assert length.search(",".join(["1"] * 20) + " words") is None  # else time is quadratic
