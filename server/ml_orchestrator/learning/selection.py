"""Choosing one of several candidates in a context, with the chance of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.learning.evidence import Evidence
from ml_orchestrator.learning.models import Candidate, rules_key
from ml_orchestrator.learning.policies import POLICIES, Situation
from ml_orchestrator.numerics.bandits.floor import draw, with_floor

__all__ = ["MOST_CANDIDATES", "Choice", "as_context", "select"]

MOST_CANDIDATES = 200
MOST_FEATURES = 64
LONGEST_KEY = 512


@dataclass(frozen=True, slots=True)
class Choice:
    """Which candidate was drawn, and the chances it was drawn by."""

    keys: tuple[str, ...]
    chances: tuple[float, ...]
    index: int


def select(
    context: NDArray[np.float64],
    candidates: Sequence[Candidate],
    evidence: Evidence,
    *,
    policy: str,
    floor: float,
    rng: np.random.Generator,
) -> Choice:
    """Draw one of the candidates by the chances a policy gives them, each at least ``floor / n``.

    The chances are those of the draw itself, so they are exact propensities even where the
    policy's own were found by numerical integration.

    Raises:
        InvalidInputError: no candidate, too many, two alike, or a floor outside 0 to 1.
        NotFoundError: no policy has this name.
    """
    keys = _keys(candidates)
    chances = with_floor(POLICIES[policy](Situation(context, keys, evidence)), floor)
    return Choice(keys, tuple(float(c) for c in chances), draw(chances, rng))


def as_context(values: Sequence[float]) -> NDArray[np.float64]:
    """Return a context as an array.

    Raises:
        InvalidInputError: it is empty, too long, or a value is outside 0 to 1.
    """
    context = np.asarray(values, dtype=np.float64)
    if context.ndim != 1 or not 1 <= context.size <= MOST_FEATURES:
        raise InvalidInputError(
            f"A context is a list of 1 to {MOST_FEATURES} numbers; found shape {context.shape}."
        )
    if not np.all((context >= 0) & (context <= 1)):  # NaN is in no range
        raise InvalidInputError("Every number of a context must lie in 0..1. Scale it first.")
    return context


def _keys(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    keys = tuple(rules_key(candidate) for candidate in candidates)
    if not 1 <= len(keys) <= MOST_CANDIDATES:
        raise InvalidInputError(
            f"A decision needs 1 to {MOST_CANDIDATES} candidates; found {len(keys)}."
        )
    if len(set(keys)) < len(keys):
        alike = sorted({key for key in keys if keys.count(key) > 1})
        raise InvalidInputError(f"Candidates must differ; more than once: {', '.join(alike)}.")
    if longest := max(keys, key=len)[LONGEST_KEY:]:
        raise InvalidInputError(
            f"The names of a candidate's rules take at most {LONGEST_KEY} letters; "
            f"one has {LONGEST_KEY + len(longest)}. Give fewer rules."
        )
    return keys
