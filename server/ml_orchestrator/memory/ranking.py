"""How remembered records are ranked: the product of four factors, each between 0 and 1.

score = relevance x recency x weight x usefulness
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

__all__ = ["recency", "relevances", "usefulness", "weight"]

HALF_LIFE_DAYS = 90.0
OLDEST = 0.25  # what recency never falls below: old is not wrong
IMPACTS = {"low": 0.4, "medium": 0.7, "high": 1.0}
TASK_WEIGHT = 0.5  # a task states neither impact nor confidence
KNOWLEDGE_IMPACT = IMPACTS["medium"]
LEAST_CONFIDENCE = 0.05  # so that a doubted record is found last, and still found


def relevances(words: Sequence[str], texts: Sequence[Collection[str]]) -> list[float]:
    """Return how much of a query each text holds: the share of its words, rare ones counting more.

    A word weighs ``ln(1 + N / (1 + n))``, where n of the N texts hold it; one that none holds
    weighs as much as the others do on average.

    >>> relevances(["auc", "tree"], [{"auc", "tree"}, {"auc"}, {"auc"}])
    [1.0, 0.379..., 0.379...]
    """
    held = Counter(word for text in texts for word in words if word in text)
    weights = {word: math.log1p(len(texts) / (1 + n)) for word, n in held.items()}
    total = sum(weights.values()) * len(words) / max(1, len(weights))
    return [sum(weights[w] for w in words if w in text) / total if total else 1.0 for text in texts]


def recency(at: str, now: str) -> float:
    """Return 1 for a record of now, half-way to ``OLDEST`` after every ``HALF_LIFE_DAYS``.

    >>> round(recency("2026-01-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00"), 3)
    0.625
    """
    age = datetime.fromisoformat(now) - datetime.fromisoformat(at)
    days = max(0.0, age.total_seconds() / 86_400)
    return OLDEST + (1 - OLDEST) * math.exp2(-days / HALF_LIFE_DAYS)


def weight(kind: str, payload: Mapping[str, Any]) -> float:
    """Return impact times confidence, as stated when the record was stored.

    >>> weight("insight", {"impact": "high", "confidence": 0.9})
    0.9
    """
    if kind == "task":
        return TASK_WEIGHT
    impact = IMPACTS[payload["impact"]] if kind == "insight" else KNOWLEDGE_IMPACT
    return impact * max(LEAST_CONFIDENCE, float(payload["confidence"]))


def usefulness(n_helped: int, n_misled: int) -> float:
    """Return the posterior mean of the chance that a record helps, from a uniform prior.

    Beta(1, 1) before anybody said anything, so 0.5; Beta(1 + helped, 1 + misled) afterwards.

    >>> usefulness(0, 0), usefulness(8, 0)
    (0.5, 0.9)
    """
    return (1 + n_helped) / (2 + n_helped + n_misled)
