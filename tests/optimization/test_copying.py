"""Copies and costs of texts in scripts that do not part their words."""

import pytest

from ml_orchestrator.optimization.copying import copied_answers, copied_passage, estimated_tokens

CHINESE = "退款需要三到五个工作日才能到账请耐心等待"


@pytest.mark.parametrize(
    "source",
    [
        CHINESE,
        "返金は三日から五日の営業日がかかります",
        "การคืนเงินใช้เวลาสามวันทำการ",
        "환불은영업일기준삼일에서오일이걸립니다",
    ],
)
def test_a_copy_is_found_where_words_are_not_parted(source: str) -> None:
    assert copied_passage(f"例如 {source}", [f"『{source}』"]) == source
    assert copied_passage(f"例如 {source}", [source], allowed=source) is None
    assert copied_passage(f"例如 {source[:9]}。", [source]) is None
    assert copied_passage(f"例如 {source[:10]}。", [source]) == source[:10]


def test_words_and_unparted_characters_make_up_a_run_together() -> None:
    source = "请在 Open Router Gateway 中重新启动服务"
    found = copied_passage(f"先做 {source}", [source])
    assert found is not None
    assert found.startswith("请在 open router gateway 中重新启动")
    assert copied_passage("请在 Open Router", [source]) is None


def test_every_character_of_such_a_script_is_a_token() -> None:
    assert estimated_tokens(CHINESE) == len(CHINESE) == 20
    assert estimated_tokens("Summarise it, please.") == 6


def test_a_text_that_tells_the_answers_of_several_examples_is_found() -> None:
    answers = [str(37 * k) for k in range(40)]
    listed = f"Give only the number. Known answers: {', '.join(answers)}. {{input}}"

    assert copied_answers(listed, answers) == answers
    assert copied_answers(listed, answers, allowed=listed) == []
    assert copied_answers("Think in 37 steps, 74 at most, with 111, 148 or 1850.", answers) == []


def test_labels_and_numbers_that_stand_in_a_text_anyway_are_no_answers_told() -> None:
    labels = [f"label{k}" for k in range(30)]
    every = f"Choose one of {', '.join(labels)}."

    assert copied_answers(every, labels * 3) == []  # each of three examples
    assert len(copied_answers(every, labels)) == 30  # each of one alone: no set to choose from
    assert (
        copied_answers("Choose one of 0, 1, 2, 3, 4 and 5.", list("0123456789") + ["0"] * 7) == []
    )
    numbers = [str(k) for k in range(40)]
    assert copied_answers("In 3 steps: 1. read, 2. think, 12. answer in 100 words.", numbers) == []


def test_answers_of_several_words_and_of_other_scripts_are_found() -> None:
    cities = ["New York", "São Paulo", "東京", "Paris", "北京", *(f"Town {k}" for k in range(20))]
    told = "Cities: NEW YORK; são paulo; 東京、北京 (Paris)."

    assert copied_answers(told, cities) == ["new york", "são paulo", "東京", "paris", "北京"]
    assert copied_answers("東京都, a new York, Pariser", cities) == []
