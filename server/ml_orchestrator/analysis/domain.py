"""Which domain a prompt belongs to: a small linear model over its words and pairs of words.

The weights in ``domain_model.json`` are made by ``bin/make_domain_model.py`` from vocabularies and
examples written for this project. To read and apply them needs the standard library alone.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from math import exp, log, sqrt
from operator import mul
from pathlib import Path

from ml_orchestrator.text.phrases import Token

__all__ = ["DOMAINS", "DomainModel", "domain_model", "term_counts"]

DOMAINS = (
    "software",
    "data_ml",
    "writing",
    "business",
    "legal",
    "medical",
    "education",
    "science",
    "operations",
    "general",
)
MAX_WORDS = 2_000
MODEL_FILE = Path(__file__).with_name("domain_model.json")
_SHORTEST_PLURAL = 4


def term_counts(tokens: Sequence[Token]) -> Counter[str]:
    """Return how often each word and each pair of neighbours stands in the first 2,000 words.

    >>> dict(term_counts([("unit", 0, 4), ("tests", 5, 10)]))
    {'unit': 1, 'test': 1, 'unit test': 1}
    """
    given = [word for word, _, _ in tokens[:MAX_WORDS]]
    stems = {word: _stem(word) for word in set(given)}
    words = [stems[word] for word in given]
    return Counter(chain(words, map(" ".join, pairwise(words))))


def _stem(word: str) -> str:
    """Return the word without the s of a plural; a number becomes a sign for numbers."""
    if word.isdigit():
        return "#"
    if len(word) >= _SHORTEST_PLURAL and word[-1] == "s" and word[-2] not in "sui":
        return word[:-1]
    return word


@dataclass(frozen=True)
class DomainModel:
    """Multinomial logistic regression on weighted terms, its scores divided by a temperature.

    ``terms`` gives each known term its inverse document frequency and one weight a domain.
    ``damping`` is added to the squared length of a prompt's vector, so that few known words say
    little; a prompt without any gets the shares of ``bias``.
    """

    bias: tuple[float, ...]
    terms: Mapping[str, Sequence[int]]
    idf_unit: float
    weight_unit: float
    damping: float
    temperature: float

    def probabilities(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Return the probability of each domain; they sum to 1."""
        scores = self.scores(counts)
        return dict(zip(DOMAINS, _softmax(s / self.temperature for s in scores), strict=True))

    def scores(self, counts: Mapping[str, int]) -> list[float]:
        """Return one score a domain, before the temperature."""
        known = [(self.terms[term], count) for term, count in counts.items() if term in self.terms]
        values = [(1 + log(count)) * row[0] * self.idf_unit for row, count in known]
        squares = sum(map(mul, values, values), self.damping)
        _, *columns = (
            zip(*(row for row, _ in known), strict=True) if known else ((),) * (1 + len(DOMAINS))
        )
        sums = [sum(map(mul, values, weights)) for weights in columns]
        scale = self.weight_unit / sqrt(squares) if squares else 0.0
        return [b + scale * s for b, s in zip(self.bias, sums, strict=True)]


def _softmax(scores: Iterable[float]) -> list[float]:
    scores = list(scores)
    highest = max(scores)
    weights = [exp(score - highest) for score in scores]
    total = sum(weights)
    return [weight / total for weight in weights]


@cache
def domain_model() -> DomainModel:
    """Return the model that ships with the package; read on first use."""
    stored = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    if tuple(stored.pop("domains")) != DOMAINS:
        raise ValueError(f"{MODEL_FILE.name} is of other domains: run bin/make_domain_model.py")
    return DomainModel(bias=tuple(stored.pop("bias")), **stored)
