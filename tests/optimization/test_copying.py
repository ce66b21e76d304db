"""Copies and costs of texts in scripts that do not part their words."""

import pytest

from ml_orchestrator.optimization.copying import copied_passage, estimated_tokens

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
