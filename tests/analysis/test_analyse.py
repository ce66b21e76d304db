"""What an analysis of a prompt says, through ``analyse``."""

import pytest

from ml_orchestrator.analysis.analyse import FEATURE_NAMES, MAX_CHARACTERS, analyse
from ml_orchestrator.analysis.context import CONTEXT_NAMES
from ml_orchestrator.analysis.domain import DOMAINS
from ml_orchestrator.analysis.models import PromptAnalysis
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.text.prompt_fit import RULE_KINDS

RICH = """You are a senior data engineer.

## Task
Write a Python function `load_orders(path)` that parses data/orders.csv for our PostgreSQL import.

- It must handle missing values within 20 ms and may cost at most $3,000.
- Do not use pandas. See https://example.org/spec for the rules.

Send the draft to Marie Curie and Dr. Okafor by 12 May 2026. For example: {example}

Think step by step. If the file is empty, say so. Return only the code.
"""
OTHER_LANGUAGES = {
    "de": "Erkläre mir bitte, warum die Daten nicht geladen werden und wie ich das löse.",
    "fr": "Écris une fonction pour lire les fichiers dans le dossier et explique les étapes.",
    "es": "Escribe un correo para el cliente que explique los retrasos con un tono amable.",
    "zh": "请写一个函数,读取文件并返回表格。必须处理缺失值。",
    "ja": "次の文章を要約してください。箇条書きで三つまでにしてください。",
    "ar": "اكتب رسالة إلى العميل تشرح تأخر المشروع، في ثلاث جمل.",
    "ru": "Напиши функцию, которая читает файл и возвращает таблицу.",
}  # fmt: skip
STRANGE = {
    "emoji": "🙂🙃👩‍👩‍👧‍👦 write 🚀🚀 a 3 line poem 🎉",
    "mixed scripts": "Write ein Gedicht любовь 关于爱 بالعربية please",
    "one letter": "x",
    "signs": "?!?! ... --- ***",
    "lone surrogate": "Sum up \ud800 this text",
    "letters that grow in small": "İstanbul İ İ İ için bir şiir yaz, scikit-learn",
    "null and controls": "Write\x00 a\x07 poem\u202e now",
}


def kinds_of(found: PromptAnalysis) -> set[tuple[str, str]]:
    return {(entity.kind, entity.text) for entity in found.entities}


def test_entities_are_named_with_their_kinds_and_places() -> None:
    found = analyse(RICH)
    assert kinds_of(found) == {
        ("technology", "Python"),
        ("code", "`load_orders(path)`"),
        ("file", "data/orders.csv"),
        ("technology", "PostgreSQL"),
        ("quantity", "20 ms"),
        ("quantity", "$3,000"),
        ("technology", "pandas"),
        ("url", "https://example.org/spec"),
        ("person", "Marie Curie"),
        ("person", "Dr. Okafor"),
        ("date", "12 May 2026"),
        ("placeholder", "{example}"),
    }
    assert [RICH[e.start : e.end] for e in found.entities] == [e.text for e in found.entities]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Call parse_dates() from train.py", {("function", "parse_dates"), ("file", "train.py")}),
        ("Fix `fit()` in `src/model.ts`", {("function", "`fit()`"), ("file", "`src/model.ts`")}),
        ("Rename getUserName and user_id", {("code", "getUserName"), ("code", "user_id")}),
        ("Write it in Go, then go home", {("technology", "Go")}),
        ("Compare C++ with c# and Node.js", {("technology", "C++"), ("technology", "c#"),
                                             ("technology", "Node.js")}),
        ("See helpers.py:42 and helpers.py:7:3", {("file", "helpers.py")}),
        ("Meet at 10:30 or 3pm, or 4 p.m.", set[tuple[str, str]]()),
        ("They excel at sports", set[tuple[str, str]]()),
        ("Open it in Excel, timeout:30s", {("technology", "Excel"), ("quantity", "30s")}),
        ("Since 2024-05-01, -3.5 % a day", {("date", "2024-05-01"), ("quantity", "-3.5 %")}),
        ("List the file(s) or link(s)", set()),
        ("Ask Ada and the Federal Reserve Bank", set()),
    ],
)  # fmt: skip
def test_names_that_are_easily_mistaken(prompt: str, expected: set[tuple[str, str]]) -> None:
    assert kinds_of(analyse(prompt)) == expected


def test_features_and_context_have_their_fixed_order_and_ranges() -> None:
    found = analyse(RICH)
    assert tuple(found.features) == FEATURE_NAMES
    assert len(found.context) == len(CONTEXT_NAMES)
    assert all(0 <= value <= 1 for value in found.context)
    assert sum(found.context[:5]) == pytest.approx(1, abs=1e-3)
    assert found.level == "L0"


def test_features_tell_what_a_rich_prompt_has_and_a_poor_one_lacks() -> None:
    has = ("has_role", "has_task_verb", "has_output_format", "has_steps", "has_uncertainty")
    rich, poor = analyse(RICH).features, analyse("make it better").features
    assert [rich[name] for name in has] == [1] * 5
    assert rich["n_examples"] > 0
    assert rich["n_constraints"] >= 3
    assert [poor[name] for name in ("has_role", "has_output_format", "has_steps")] == [0] * 3
    assert poor["n_vague"] == 1
    assert poor["n_missing"] > rich["n_missing"]


def test_what_a_prompt_lacks_is_what_fits_and_has_a_reason() -> None:
    poor = {fit.rule: fit for fit in analyse("make it better").strategy}
    assert {"clarity", "specificity", "constraints", "success_criteria"} <= set(poor)
    assert all(fit.reason for fit in poor.values())
    fits = [fit.fit for fit in analyse("make it better").strategy]
    assert fits == sorted(fits, reverse=True)
    rich = {fit.rule for fit in analyse(RICH).strategy}
    assert rich.isdisjoint({"role", "output_contract", "step_by_step", "constraints", "clarity"})


def test_a_plain_question_needs_little() -> None:
    assert [fit.rule for fit in analyse("What does 17 plus 25 make?").strategy] == []


def test_every_kind_of_rule_that_is_recommended_is_a_rule() -> None:
    assert set(RULE_KINDS) <= set(RULES)


def test_data_without_a_border_is_told_from_data_with_one() -> None:
    data = "The customer wrote that the parcel came late and the box was open. " * 10
    bare = analyse(f"Summarise the following email in 2 sentences.\n{data}")
    tagged = analyse(f"Summarise the following email in 2 sentences.\n<email>\n{data}\n</email>")
    assert bare.features["has_bare_data"] == 1
    assert tagged.features["has_bare_data"] == 0
    assert "data_safety" in {fit.rule for fit in bare.strategy}


def test_a_long_prompt_is_cut_and_says_so() -> None:
    prompt = "Summarise the report. " * 2_000
    found = analyse(prompt)
    assert (found.n_characters, found.n_analysed) == (len(prompt), MAX_CHARACTERS)
    assert any("first 20000 of 44000" in notice for notice in found.notices)


@pytest.mark.parametrize("prompt", ["", " \n\t ", " " * 30_000 + "x"])
def test_a_prompt_without_text_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidInputError, match="give the text to analyse"):
        analyse(prompt)


@pytest.mark.parametrize("code", OTHER_LANGUAGES)
def test_other_languages_are_recognised_and_the_limit_is_said(code: str) -> None:
    found = analyse(OTHER_LANGUAGES[code])
    assert found.language.code == code
    assert found.features["is_english"] == 0
    assert any("English" in notice for notice in found.notices)


@pytest.mark.parametrize("name", STRANGE)
def test_strange_text_does_not_break_it_and_places_stay_true(name: str) -> None:
    prompt = STRANGE[name]
    found = analyse(prompt)
    assert [prompt[e.start : e.end] for e in found.entities] == [e.text for e in found.entities]
    assert found.domain.name in DOMAINS


def test_english_is_recognised_without_a_notice_about_it() -> None:
    found = analyse("Write a pytest fixture for the API client and explain how it works in detail.")
    assert found.language.code == "en"
    assert found.notices == []


def test_the_same_prompt_gives_the_same_analysis() -> None:
    assert analyse(RICH) == analyse(RICH)
