"""Prompts made better: what is changed, what is not, and what is said about it."""

import pytest

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.optimization.improve import candidates, improve
from ml_orchestrator.optimization.reading_patterns import COMPONENTS
from ml_orchestrator.optimization.rules import RULES

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


ROTA = (
    "Build a rota for our five carers for the first week of June, then compute everybody's "
    "hours, and then write each of them a text message, and then find where we are below the "
    "legal rest period, then fix it, and then redo the messages.\nCarers: Ola (32 h), Pim (24 "
    "h), Rosa (32 h), Sef (16 h, never Sundays), Tess (24 h, nights only). Shifts: early 7-15, "
    "late 14-22, night 22-7, one carer each.\nA table with days as columns and shifts as rows, "
    "then the messages."
)
MAIL = (
    "Translate the message into Japanese business mail style (keigo), as from a supplier to a "
    "customer of ten years.\nSender: 田中, sales, at a maker of valves. Recipient: 部長 佐々木様. "
    "The mail declines a rush order because the foundry is closed from 10 to 16 August.\nThe "
    "Japanese mail with subject line; below it, a literal translation back into English, "
    "sentence by sentence, so that I can see what was softened.\nIf a phrase of mine has no "
    "equivalent that would not offend, replace it and mark it with ※ in both versions.\n> Dear "
    "Mr Sasaki, we can't do it by the 20th. The foundry is shut. We could send 40 of the 100 "
    "valves from stock tomorrow. Is that any use? Sorry about this. Tanaka"
)


@pytest.mark.parametrize(
    ("prompt", "named", "idle", "why"),
    [
        (
            "Sum up the report.",
            ["decomposition", "output_contract"],
            "decomposition",
            "It found no reason to turn three or more jobs chained in one sentence into a numbered "
            "list, in their words.",
        ),
        (
            ROTA,
            ["role", "decomposition"],
            "role",
            "It fits the given prompt, and no longer what other rules made of it.",
        ),
        (
            MAIL,
            ["constraints"],
            "constraints",
            "It would only ask, and its question is more likely wrong than right here.",
        ),
        (
            "请总结下面的文章: {text}",
            ["role"],
            "role",
            "The prompt does not read as English, and it found nothing to ask.",
        ),
    ],
)
def test_a_rule_that_is_named_and_does_nothing_says_why(
    prompt: str, named: list[str], idle: str, why: str
) -> None:
    result = improve(prompt, named)

    assert [(each.rule, each.reason, each.fits) for each in result.skipped] == [(idle, why, False)]
    assert {each.rule for each in result.applied} == {*named} - {idle}


def test_a_rule_of_another_kind_that_is_named_and_does_nothing_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Idle:  # what another package may file: as much of a rule as the catalogue asks for
        name, kind, order, conflicts = "idle", "word", 5, frozenset[str]()
        about = "Do nothing."
        applies = staticmethod(lambda _: None)
        apply = staticmethod(lambda prompt: prompt)

    monkeypatch.setitem(RULES._entries, "idle", Idle())
    (idle,) = improve("Sum up the report.", ["idle"]).skipped
    assert (idle.rule, idle.reason) == ("idle", "It found no reason to do nothing.")


def test_of_rules_that_nobody_named_only_those_held_back_are_told() -> None:
    assert improve("Sum up the report.").skipped == ()
    held = improve("Sum up the report.", max_rules=0).skipped
    assert held
    assert all(each.fits for each in held)


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


@pytest.mark.parametrize(
    "prompt",
    [
        "Please classify: {text} as spam or ham.",
        "Kindly translate: {text}",
        "Please do not, under any circumstances, delete maybe.txt.",
        "Never touch the database. Don't restart the server.",
    ],
)
def test_a_verb_with_a_colon_and_a_prohibition_say_what_to_do(prompt: str) -> None:
    assert improve(prompt, ["task"]).text == prompt
    assert "[FILL IN: what to do" in improve("Our shop and its tea.", ["task"]).text
