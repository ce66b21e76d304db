"""What every rule promises, checked for each of them over many prompts."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.optimization.kept import missing
from tests.optimization.prompt_fragments import FRAGMENTS, HARD, OTHER_LANGUAGES

import ml_orchestrator.optimization.rules as package
from ml_orchestrator.optimization.improve import improve
from ml_orchestrator.optimization.intent import losses
from ml_orchestrator.optimization.rules import RULES

PROMPTS = (*HARD, *FRAGMENTS, "\n\n".join(FRAGMENTS[:14]), " ".join(FRAGMENTS[1:12]))
composed = st.builds(
    lambda pieces, gaps: "".join(
        piece + gap for piece, gap in zip(pieces, gaps + ["\n"] * len(pieces), strict=False)
    ),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=7),
    st.lists(st.sampled_from([" ", "\n", "\n\n"]), max_size=7),
)
TOKENS = ["please", "etc.", "try", "to", "{text}", "<a>", "</a>", "`", '"', "'", "#", "-", "1."]
TOKENS += ["3", "not", "write", "it", ":", ",", "\n"]
any_prompt = composed | st.text(max_size=60) | st.lists(st.sampled_from(TOKENS)).map(" ".join)


def check_rule(name: str, prompt: str) -> None:
    rule = RULES[name]
    finding, once = rule.applies(prompt), rule.apply(prompt)
    assert (finding is None or not finding.edits) == (once == prompt)
    if finding is None:
        return
    assert bool(finding.edits) != bool(finding.question), "it changes the prompt or asks"
    assert finding.reason.endswith((".", "…"))
    assert 0 <= finding.start <= finding.end <= len(prompt)
    assert rule.apply(once) == once, "a second time changes nothing"
    assert losses(prompt, once) == ()
    assert list(missing(prompt, once)) == []


@pytest.mark.parametrize("name", list(RULES))
def test_a_rule_keeps_its_promises_on_known_prompts(name: str) -> None:
    for prompt in PROMPTS:
        check_rule(name, prompt)


@settings(max_examples=120, deadline=None)
@given(any_prompt)
def test_every_rule_keeps_its_promises_on_any_prompt(prompt: str) -> None:
    for name in RULES:
        check_rule(name, prompt)


@settings(max_examples=40, deadline=None)
@given(composed)
def test_all_rules_together_change_nothing_the_second_time_and_lose_nothing(prompt: str) -> None:
    first = improve(prompt)
    second = improve(first.text)
    assert second.text == first.text
    assert list(missing(prompt, first.text)) == []


@pytest.mark.parametrize("prompt", OTHER_LANGUAGES)
def test_prompts_in_other_languages_come_back_as_they_are(prompt: str) -> None:
    for rule in RULES.values():
        assert rule.apply(prompt) == prompt
    assert improve(prompt).text == prompt


def test_order_and_conflicts_are_declared_and_respected() -> None:
    orders = [rule.order for rule in RULES.values()]
    assert len(set(orders)) == len(orders), "no two rules share a place"
    for rule in RULES.values():
        assert all(rule.name in RULES[other].conflicts for other in rule.conflicts)
    for prompt in PROMPTS:
        if not prompt.strip():
            continue
        applied = [RULES[each.rule] for each in improve(prompt).applied]
        assert [rule.order for rule in applied] == sorted(rule.order for rule in applied)
        names = {rule.name for rule in applied}
        assert not any(names & rule.conflicts for rule in applied)


def test_a_rule_that_conflicts_with_an_applied_one_is_held_back() -> None:
    prompt = (
        "Analyse the sales in {report}, then summarise them, then recommend a price.\n"
        "Calculate the total."
    )
    result = improve(prompt)
    assert "decomposition" in [each.rule for each in result.applied]
    assert "step_by_step" not in [each.rule for each in result.applied]


def test_each_rule_has_a_file_of_its_own_name() -> None:
    folder = Path(package.__file__).parent
    files = {file.stem for file in folder.glob("*.py")} - {"__init__", "contract"}
    assert files == set(RULES)
    assert len(RULES) >= 14
    assert all(rule.about.endswith(".") for rule in RULES.values())
