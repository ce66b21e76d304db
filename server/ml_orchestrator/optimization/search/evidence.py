"""What speaks for a rule set: one kind of evidence for each level, behind one protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.optimization.search.models import Means, RulePlan

__all__ = ["LEAST_HELD_OUT", "LEAST_SEARCH", "Evidence", "Gain", "Rows", "parted"]

LEAST_SEARCH = 5
LEAST_HELD_OUT = 5
HELD_OUT_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Gain:
    """A held-out gain over the baseline: its one-sided test, and its interval at a level asked for.

    The interval has two ends, so it is above 0 where the p value is below half of its level.
    """

    n: int
    mean: float
    low: float
    high: float
    p_value: float


class Evidence(Protocol):
    """Judges rule sets; whatever ``look`` uses, ``confirm`` does not."""

    n_search: int
    n_held_out: int
    refused: Mapping[str, str]
    """Rule sets it cannot speak for, and why."""

    @property
    def plans(self) -> Sequence[RulePlan] | None:
        """The only rule sets it can speak for; None: any."""
        ...

    def look(self, plan: RulePlan) -> Means:
        """Return how a rule set does in the part for searching."""
        ...

    def confirm(self, plan: RulePlan, *, alpha: float) -> Gain:
        """Return how it does in the part held out, with an interval at ``1 - alpha``."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """Logged decisions: who could be chosen, with which chance, and how the chosen one did.

    ``offered`` holds for each decision the rule sets it could choose, by name.
    """

    offered: Sequence[frozenset[str]]
    chosen: Sequence[str]
    propensity: Sequence[float]
    reward: Sequence[float]


def parted(n: int, *, seed: int, what: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of the search's part and of the held-out part, drawn from ``seed``.

    Raises:
        InvalidInputError: there are too few for both; the message says how many are needed.
    """
    n_held_out = round(n * HELD_OUT_SHARE)
    if n - n_held_out < LEAST_SEARCH or n_held_out < LEAST_HELD_OUT:
        raise InvalidInputError(
            f"{n} {what} are too few: {LEAST_SEARCH} to search on and {LEAST_HELD_OUT} held out "
            "are needed at least, so 12 or more; intervals are narrow from about 50."
        )
    order = np.random.default_rng([seed, 17]).permutation(n)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
