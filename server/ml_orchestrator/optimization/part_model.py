"""Which parts of a prompt a sentence could be: a small linear model over its words and form.

The weights are made by ``bin/make_part_model.py`` from sentences written for this project: those in
``part_model.json`` for short prompts, where a sentence that could be a part will do; those in
``strict_part_model.json`` for long ones, where some sentence looks a little like each part. To read
and apply them needs the standard library alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import exp, sqrt
from pathlib import Path

from ml_orchestrator.optimization.sentence_terms import sentence_terms

__all__ = [
    "MODEL_FILE",
    "PARTS",
    "STRICT_MODEL_FILE",
    "PartModel",
    "could_be",
    "is_likely",
    "part_model",
    "part_probabilities",
    "strict_probabilities",
]

MODEL_FILE = Path(__file__).with_name("part_model.json")
STRICT_MODEL_FILE = Path(__file__).with_name("strict_part_model.json")
PARTS = (
    "role",
    "context",
    "audience",
    "length",
    "count",
    "span",
    "technology",
    "symptom",
    "output",
    "constraints",
    "success",
    "uncertainty",
    "examples",
    "steps",
    "data_rule",
    "task",
)
LEAST_SHARE = 0.4  # of the likeliest part's probability
_MOST_REMEMBERED = 4_096  # sentences; every rule reads the prompt anew


@dataclass(frozen=True)
class PartModel:
    """One logistic regression a part; a sentence can be several parts or none.

    ``terms`` gives the weights of each known term, as pairs ``part, weight`` one after the other.
    A sentence's vector has the value 1 for each known term, divided by the root of their number
    plus ``damping``. ``thresholds`` gives the probability from which a rule keeps silent.
    """

    bias: tuple[float, ...]
    terms: Mapping[str, Sequence[int]]
    weight_unit: float
    damping: float
    thresholds: Mapping[str, float]

    def probabilities(self, sentence: str) -> dict[str, float]:
        """Return for each part the probability that a sentence, in small letters, is one."""
        sums = [0] * len(PARTS)
        n_known = 0
        for term in sentence_terms(sentence):
            weights = self.terms.get(term)
            if weights is not None:
                n_known += 1
                for at, weight in zip(weights[::2], weights[1::2], strict=True):
                    sums[at] += weight
        scale = self.weight_unit / sqrt(n_known + self.damping)
        scores = (b + scale * s for b, s in zip(self.bias, sums, strict=True))
        return {part: 1 / (1 + exp(-score)) for part, score in zip(PARTS, scores, strict=True)}


def could_be(part: str, sentence: str) -> bool:
    """Say whether a sentence, in small letters, is likely enough to be a part to be taken for it.

    It is not where another part is much likelier, since a sentence is seldom two.

    >>> could_be("success", "we are happy once a child can retell it.")
    True
    >>> could_be("role", "run it twice.")
    False
    """
    threshold = part_model().thresholds.get(part)
    if threshold is None:
        return False
    chances = part_probabilities(sentence)
    return chances[part] >= max(threshold, LEAST_SHARE * max(chances.values()))


def is_likely(part: str, sentence: str, least: float) -> bool:
    """Say whether a sentence of a long prompt is a part with probability ``least`` or more."""
    return strict_probabilities(sentence)[part] >= least


@lru_cache(maxsize=_MOST_REMEMBERED)
def part_probabilities(sentence: str) -> Mapping[str, float]:
    """Return the probability of each part by the model that ships with the package."""
    return part_model().probabilities(sentence)


@lru_cache(maxsize=_MOST_REMEMBERED)
def strict_probabilities(sentence: str) -> Mapping[str, float]:
    """Return the probability of each part by the model for long prompts."""
    return part_model(STRICT_MODEL_FILE).probabilities(sentence)


@cache
def part_model(path: Path = MODEL_FILE) -> PartModel:
    """Return a model that ships with the package; read on first use."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    if tuple(stored.pop("parts")) != PARTS:
        raise ValueError(f"{path.name} is of other parts: run bin/make_part_model.py")
    return PartModel(bias=tuple(stored.pop("bias")), **stored)
