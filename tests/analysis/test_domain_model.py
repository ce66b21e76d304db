"""The domain model on prompts it was not made from, and as a file."""

import json

import pytest
from tests.analysis.measure_domains import held_out, measure

from ml_orchestrator.analysis.domain import DOMAINS, MODEL_FILE, domain_model, term_counts
from ml_orchestrator.text.phrases import tokens_of


def examples() -> set[str]:
    folder = MODEL_FILE.parents[3] / "bin" / "domain_model"
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
    return {line for text in texts for line in text.split("= examples\n")[1].splitlines()}


def test_the_held_out_prompts_are_many_of_every_domain_and_none_is_an_example() -> None:
    domains = [domain for domain, _ in held_out()]
    assert len(domains) >= 120
    assert min(domains.count(domain) for domain in DOMAINS) >= 12
    assert examples().isdisjoint(prompt for _, prompt in held_out())


def test_on_unseen_prompts_the_domain_is_mostly_right_and_its_probability_honest() -> None:
    """The bounds are what was measured (docs/prompts.md) less its sampling error."""
    found = measure(domain_model())
    assert found.accuracy >= 0.6
    assert found.log_loss <= 1.3
    assert found.calibration_error <= 0.12


def test_the_file_is_small_and_of_these_domains() -> None:
    assert MODEL_FILE.stat().st_size < 300_000
    assert tuple(json.loads(MODEL_FILE.read_text(encoding="utf-8"))["domains"]) == DOMAINS


def test_a_text_without_a_known_word_is_uncertain_and_probabilities_sum_to_one() -> None:
    unknown = domain_model().probabilities(term_counts(tokens_of("qwxz vbrk")))
    assert sum(unknown.values()) == pytest.approx(1)
    assert max(unknown.values()) < 0.5
