"""The model of parts: what it is made of, and what it spares prompts that nobody tuned on."""

import json
import re
from pathlib import Path

import pytest

from ml_orchestrator.optimization.improve import candidates, improve
from ml_orchestrator.optimization.part_model import MODEL_FILE, PARTS, could_be, part_model

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "benchmarks" / "rule_prompts"


def prompts(name: str) -> list[str]:
    blocks = (PROMPTS / f"{name}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    pieces = (re.split(r"^@\w+\n", block, flags=re.MULTILINE)[1:] for block in blocks)
    return ["\n\n".join(text.strip() for text in each) for each in pieces]


def learned_lines() -> set[str]:
    files = [*(ROOT / "bin" / "part_model").glob("*.txt"), PROMPTS / "development.txt"]
    return {line for path in files for line in path.read_text(encoding="utf-8").splitlines()}


def test_the_file_is_small_and_of_these_parts() -> None:
    assert MODEL_FILE.stat().st_size < 300_000
    assert tuple(json.loads(MODEL_FILE.read_text(encoding="utf-8"))["parts"]) == PARTS


def test_most_good_prompts_that_nobody_tuned_on_stay_as_they_are() -> None:
    """The bound is what was measured (docs/benchmarks.md) less its sampling error."""
    texts = prompts("validation")
    assert len(texts) >= 30
    assert sum(not candidates(text) for text in texts) / len(texts) >= 0.65
    long = {line for text in texts for line in text.splitlines() if len(line) > 40}
    assert learned_lines().isdisjoint(long)


@pytest.mark.parametrize(
    ("prompt", "lacks"),
    [
        ("Write a blog post about bees.", {"role", "specificity", "output_contract"}),
        ("Classify this review as good or bad: {review}", {"output_contract", "examples"}),
        ("Debug my script.", {"specificity", "step_by_step", "success_criteria"}),
        ("Translate the letter into Dutch.", {"output_contract", "constraints"}),
        ("Summarise the report. It is about trains.", {"specificity", "output_contract"}),
    ],
)
def test_what_a_short_prompt_lacks_is_still_found(prompt: str, lacks: set[str]) -> None:
    assert lacks <= candidates(prompt).keys()


def test_a_sentence_is_taken_for_its_part_and_not_for_another() -> None:
    sentence = "the plan is fine once every guest has a bed."
    assert [part for part in PARTS if could_be(part, sentence)] == ["success"]
    assert not any(could_be(part, "qwxz vbrk.") for part in ("role", "steps", "examples"))


def test_a_sentence_without_a_known_word_has_the_chance_of_none() -> None:
    assert max(part_model().probabilities("qwxz vbrk plxq mrtz ghjk").values()) < 0.5


def test_a_number_of_a_description_becomes_no_demand() -> None:
    prompt = "Fix the bug in train.py where the loss becomes NaN after 300 steps"
    assert improve(prompt).text.count("300 steps") == 1
    assert "there are 5 tips" in improve("Write 5 tips for cyclists.").text
