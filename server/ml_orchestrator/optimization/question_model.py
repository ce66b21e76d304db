"""How likely a question about a part that a prompt may lack is right: one linear model a rule.

Rules ask where they see no part of a kind. Whether it is missing, was said in words that are not
understood, or was not wanted for this task, shows in the rest of the prompt. The weights are made
by ``bin/make_question_model.py`` from prompts from which something was taken out and from prompts
with a reader's labels; to read and apply them needs the standard library alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from math import exp
from pathlib import Path

from ml_orchestrator.optimization.prompt_terms import prompt_terms
from ml_orchestrator.optimization.reading import Reading, read_prompt

__all__ = ["ASKED_FROM", "ASKING_RULES", "MODEL_FILE", "QuestionModel", "is_worth_asking"]

MODEL_FILE = Path(__file__).with_name("question_model.json")
# Those whose questions are more often right by it on files left out: a task and a word on missing
# answers are not.
ASKING_RULES = (
    "role",
    "specificity",
    "output_contract",
    "constraints",
    "step_by_step",
    "examples",
    "success_criteria",
    "data_safety",
)
ASKED_FROM = 0.5  # what is more likely wrong than right is not asked


@dataclass(frozen=True)
class QuestionModel:
    """One logistic regression a rule over the terms of a prompt; ``weights`` has one a rule."""

    bias: tuple[float, ...]
    weights: Mapping[str, tuple[float, ...]]

    def chances(self, terms: Mapping[str, float]) -> dict[str, float]:
        """Return for each rule the probability that its question, if it has one, is right."""
        scores = list(self.bias)
        for term, value in terms.items():
            if value and (weights := self.weights.get(term)) is not None:
                scores = [s + value * w for s, w in zip(scores, weights, strict=True)]
        odds = zip(ASKING_RULES, scores, strict=True)
        return {rule: 1 / (1 + exp(-score)) for rule, score in odds}


def is_worth_asking(reading: Reading, rule: str) -> bool:
    """Say whether what a rule would ask is likely right; of other rules it always is."""
    return rule not in ASKING_RULES or _chances(reading.text)[rule] >= ASKED_FROM


@lru_cache(maxsize=16)
def _chances(text: str) -> Mapping[str, float]:
    return question_model().chances(prompt_terms(read_prompt(text)))


@cache
def question_model() -> QuestionModel:
    """Return the model that ships with the package; read on first use."""
    stored = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    if tuple(stored["rules"]) != ASKING_RULES:
        raise ValueError(f"{MODEL_FILE.name} is of other rules: run bin/make_question_model.py")
    weights = {term: tuple(each) for term, each in stored["weights"].items()}
    return QuestionModel(tuple(stored["bias"]), weights)
