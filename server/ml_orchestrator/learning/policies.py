"""How each policy turns what was judged into the chances of the candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.learning.bandwidth import STRENGTH, likeness
from ml_orchestrator.learning.evidence import DISCOUNT, Evidence
from ml_orchestrator.numerics.bandits.floor import with_floor
from ml_orchestrator.numerics.bandits.kl_ucb import upper_means
from ml_orchestrator.numerics.bandits.thompson import chances_of_best

__all__ = ["POLICIES", "POLICY_VERSION", "Policy", "Situation"]

POLICY_VERSION = "2"  # of all; it goes up with any change of what they choose
ALPHA = 0.3  # of LinUCB
EPSILON = 0.1


@dataclass(frozen=True, slots=True)
class Situation:
    """What a policy sees: the context, the names of the candidates, what was judged."""

    context: NDArray[np.float64]
    keys: Sequence[str]
    evidence: Evidence


Policy = Callable[[Situation], NDArray[np.float64]]
"""Returns the chance of each candidate, shape ``(n_candidates,)``; the floor comes later."""

POLICIES: Catalog[Policy] = Catalog("policy")


@POLICIES.register("uniform")
def uniform(situation: Situation) -> NDArray[np.float64]:
    """Give every candidate the same chance."""
    return np.full(len(situation.keys), 1 / len(situation.keys))


@POLICIES.register("thompson")
def thompson(situation: Situation) -> NDArray[np.float64]:
    """Give each candidate the chance that it is the best in this context.

    Its belief is a Beta distribution: what it earned in similar contexts, on top of a prior that
    is what it earned everywhere, worth two rewards. Older rewards fade.
    """
    sums, n = _weighed(situation)
    return chances_of_best(sums, n - sums)


@POLICIES.register("kl_ucb")
def kl_ucb(situation: Situation) -> NDArray[np.float64]:
    """Take the candidate whose mean in this context may be the highest; ties share."""
    sums, n = _weighed(situation)
    return _best(upper_means(sums, n))


@POLICIES.register("lin_ucb")
def lin_ucb(situation: Situation) -> NDArray[np.float64]:
    """Take the candidate whose linear reward in this context may be the highest.

    Older rewards fade.
    """
    return _best(_linear(situation, alpha=ALPHA))


@POLICIES.register("epsilon_greedy")
def epsilon_greedy(situation: Situation) -> NDArray[np.float64]:
    """Take the candidate of the highest linear reward; one choice in ten goes to any."""
    return with_floor(_best(_linear(situation, alpha=0.0)), EPSILON)


def _weighed(situation: Situation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each candidate's rewards and their number, weighed, prior included."""
    evidence, keys = situation.evidence, situation.keys
    chosen = np.array([evidence.rows_of(key) for key in keys], dtype=np.float64)
    chosen = chosen.reshape(len(keys), len(evidence))
    fading = DISCOUNT ** np.arange(len(evidence) - 1, -1, -1.0)
    near = fading * likeness(evidence.contexts, situation.context, evidence.bandwidths)
    rewards = evidence.rewards
    everywhere = (1 + chosen @ (fading * rewards)) / (2 + chosen @ fading)
    sums = STRENGTH * everywhere + chosen @ (near * rewards)
    return sums, STRENGTH + chosen @ near


def _linear(situation: Situation, *, alpha: float) -> NDArray[np.float64]:
    """Return each candidate's expected reward, and ``alpha`` times how little it is known."""
    reward = situation.evidence.linear_reward
    return np.array([reward(key, situation.context, alpha=alpha) for key in situation.keys])


def _best(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    is_best = scores == scores.max()
    return np.asarray(is_best / is_best.sum())
