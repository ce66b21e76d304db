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


def test_numbers_of_list_lines_and_small_numbers_in_a_text_are_no_answers_told() -> None:
    numbers = [str(k) for k in range(1, 31)]
    steps = "1. Read it.\n2. Think.\n3. Check.\n4. Compute.\n5. Answer in 10 words."
    marked = "- 11) Read 2 pages.\n  **12.** Take 3 notes.\n(13) Wait 4 minutes.\nIn 5 or 6 words."

    assert copied_answers(steps, numbers) == []
    assert copied_answers(marked, numbers) == []
    assert copied_answers("1. 17\n2. 18\n3. 19\n4. 20\n5. 21", numbers) == numbers[16:21]


def test_common_words_are_told_in_a_list_alone() -> None:
    words = ["read", "the", "text", "and", "name", "one", "word", "of", "it", "to", "answer", "dog"]

    assert copied_answers("Read the text and name one word of it, to answer.", words) == []
    assert copied_answers("Read. Name. Answer. Text. Word. The dog.", words) == []
    listed = "Known answers: the, read, dog, word and text."
    assert copied_answers(listed, words) == ["read", "the", "text", "word", "dog"]


@pytest.mark.parametrize(
    "told",
    [
        "Known: 0 7 14 21 28.",
        "0 | 7 | 14 | 21 | 28",
        "Known:\n- 0\n- 7\n- 14\n- 21\n- 28\nSay no more.",
        "0 x 7 = 0, 1 x 7 = 7, 2 x 7 = 14, 3 x 7 = 21, 4 x 7 = 28.",
        "Q: none\nA: 0\nQ: one seven\nA: 7\nQ: two\nA: 14\nQ: three\nA: 21\nQ: four\nA: 28",
    ],
)
def test_short_answers_in_lists_of_any_form_are_told(told: str) -> None:
    answers = [str(7 * k) for k in range(40)]

    assert copied_answers(told, answers) == answers[:5]


@pytest.mark.parametrize(
    ("told", "answers"),
    [
        (
            "中国的北京是首都\uff0c还有上海和广州、深圳跟成都、杭州在南方",
            ["北京", "上海", "广州", "深圳", "成都", "杭州"],
        ),
        (
            "首都は東京で大阪は西にあり京都は古くて名古屋と福岡もある",
            ["東京", "大阪", "京都", "名古屋", "福岡"],
        ),
        (
            "เมืองหลวงคือกรุงเทพและเชียงใหม่อยู่เหนือส่วนภูเก็ตกับพัทยาและขอนแก่นอยู่ไกล",
            ["กรุงเทพ", "เชียงใหม่", "ภูเก็ต", "พัทยา", "ขอนแก่น"],
        ),
        (
            "서울은 수도이고 부산과 대구도 크며 인천의 옆은 수원이다",
            ["서울", "부산", "대구", "인천", "수원"],
        ),
    ],
)
def test_answers_are_found_in_running_text_that_does_not_part_words(
    told: str, answers: list[str]
) -> None:
    others = ["武汉", "西安", "南京", "天津", "重庆", "长沙"]

    assert copied_answers(told, [*answers, *others]) == answers
    assert copied_answers(told, [*answers, *others], allowed=told) == []
    assert (
        copied_answers(
            "先阅读文章\uff0c再回答问题。", ["阅读", "文章", "回答", "问题", "先", *others]
        )
        == []
    )
