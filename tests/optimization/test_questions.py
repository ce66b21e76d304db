"""Where a prompt says more than its task the rules ask, and only what is likely right."""

import json
from math import exp

import pytest
from tests.optimization.test_part_model import prompts

from ml_orchestrator.optimization.improve import candidates, improve
from ml_orchestrator.optimization.question_model import (
    ASKING_RULES,
    MODEL_FILE,
    QuestionModel,
    is_worth_asking,
)
from ml_orchestrator.optimization.reading import read_prompt
from ml_orchestrator.optimization.rules import RULES

BEGUN = (
    "Write a letter to the residents of Quay Street about the water main, which is replaced from "
    "4 to 8 March between 8:00 and 16:00. Tap water may be brown for an hour afterwards. "
    "No apologies, no jargon. At most 120 words, with a subject line."
)


def test_what_is_not_seen_in_a_begun_prompt_is_never_written_in() -> None:
    reading = read_prompt(BEGUN)
    assert not reading.is_bare
    findings = [RULES[name].find(reading) for name in ASKING_RULES]
    assert any(findings), "some rule sees no part of its kind here"
    assert not any(finding.edits for finding in findings if finding)
    assert improve(BEGUN).text == BEGUN


def test_a_bare_prompt_is_given_what_it_lacks_and_stays_bare_until_all_is_there() -> None:
    asked = "Write a letter about the water main."
    result = improve(asked)
    assert read_prompt(asked).is_bare
    assert {"role", "output_contract", "constraints"} <= {each.rule for each in result.applied}
    assert improve(result.text).text == result.text


def test_a_chance_is_the_logistic_function_of_the_weighted_terms() -> None:
    bias = tuple(0.1 * n for n in range(len(ASKING_RULES)))
    model = QuestionModel(bias, {"words": tuple([2.0] * len(ASKING_RULES))})
    chances = model.chances({"words": 0.5, "unknown": 3.0})
    for rule, b in zip(ASKING_RULES, bias, strict=True):
        assert chances[rule] == pytest.approx(1 / (1 + exp(-(b + 1.0))))


def test_the_file_is_small_and_of_these_rules() -> None:
    assert MODEL_FILE.stat().st_size < 50_000
    assert tuple(json.loads(MODEL_FILE.read_text(encoding="utf-8"))["rules"]) == ASKING_RULES
    assert set(ASKING_RULES) < set(RULES)


def test_questions_that_are_likely_wrong_are_not_asked() -> None:
    """The model spares good prompts that it did not learn from; without it they are asked."""
    texts = prompts("validation") + prompts("held_out")
    begun = [text for text in texts if not read_prompt(text).is_bare]
    assert len(begun) >= 40
    asked = [
        (text, name)
        for text in begun
        for name in ASKING_RULES
        if (finding := RULES[name].find(read_prompt(text))) and not finding.edits
    ]
    kept = [(text, name) for text, name in asked if is_worth_asking(read_prompt(text), name)]
    assert kept == [(text, name) for text, name in asked if name in candidates(text)]
    assert 0 < len(kept) < len(asked)


def test_what_a_begun_prompt_clearly_lacks_is_still_asked() -> None:
    lacking = BEGUN.split(" No apologies", maxsplit=1)[0]
    assert not read_prompt(lacking).is_bare
    assert candidates(lacking)["output_contract"].question in improve(lacking).questions


def test_rules_that_are_named_write_what_they_would_else_ask() -> None:
    lacking = BEGUN.split(" No apologies", maxsplit=1)[0]
    named = improve(lacking, ["output_contract"])
    assert improve(lacking).text == lacking
    assert named.text.startswith(f"{lacking}\n\nOutput format: ")
    assert improve(named.text, ["output_contract"]).text == named.text
    long = " ".join([lacking] * 3)
    assert improve(long, ["output_contract"]).text == long


def test_padding_is_named_without_what_follows_it() -> None:
    asked = improve(f"Please write to the residents. {BEGUN}").questions
    assert "Is 'Please' needed? It carries no wish." in asked


def test_no_good_prompt_that_nobody_tuned_on_is_changed() -> None:
    assert [text for text in prompts("validation") if improve(text).text != text] == []


def test_loose_words_in_a_begun_prompt_are_asked_about_and_stay() -> None:
    vague = BEGUN.replace("No apologies, no jargon.", "No apologies, no jargon, etc.")
    result = improve(vague)
    assert result.text == vague
    assert "What exactly is meant by 'etc.'?" in result.questions
    assert "[FILL IN:" in improve(vague, ["clarity"]).text, "who names a rule has it write"
    assert "[FILL IN:" in improve("Write about our boat, etc.", ["clarity"]).text


def test_several_placeholders_on_a_line_are_fields_of_a_record() -> None:
    record = (
        f"{BEGUN}\n\nRecord: {{{{ line.text }}}} | {{{{ line.report }}}} | {{{{ line.notes }}}}"
    )
    assert "data_safety" not in candidates(record)
    assert RULES["data_safety"].find(read_prompt(f"{BEGUN}\n\n{{report}}")) is not None


def test_lines_with_the_same_signs_are_borders() -> None:
    bordered = f"{BEGUN}\n\n>>> OLD LETTER\n{{letter}}\n>>> WHAT CHANGED\n{{notes}}\n>>> END"
    assert RULES["data_safety"].find(read_prompt(bordered)) is None


def test_a_few_words_between_tags_say_what_goes_there() -> None:
    form = f"{BEGUN}\n\n<letter>the text, in short paragraphs</letter>"
    assert RULES["data_safety"].find(read_prompt(form)) is None
    filled = f"{BEGUN}\n\n<letter>\n{{letter}}\n</letter>"
    assert RULES["data_safety"].find(read_prompt(filled)) is not None


def test_thanks_before_a_name_at_the_end_are_a_signature() -> None:
    assert "brevity" not in candidates(f"{BEGUN}\n\nThanks, Dave")
    assert "brevity" in candidates("Hello, summarise this text")
    assert "brevity" in candidates(f"{BEGUN}\n\nThanks in advance!")
