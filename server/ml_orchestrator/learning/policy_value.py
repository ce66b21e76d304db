"""What a policy would have earned, from rows logged with propensities: estimated or refused."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.learning.policy_models import Interval, Method, PolicyReport, WeightSupport
from ml_orchestrator.numerics.off_policy import (
    Estimate,
    Support,
    direct_method,
    doubly_robust,
    gain_over,
    importance_weights,
    inverse_propensity,
    self_normalised,
    support_of,
)
from ml_orchestrator.numerics.propensities import contradiction_in
from ml_orchestrator.numerics.reward_models import cross_fitted

__all__ = ["AllActions", "LoggedActions", "PolicyRows", "value_of"]

FOLD_SEED = 0  # the same rows are always dealt alike


@dataclass(frozen=True, slots=True)
class AllActions:
    """What a model of rewards takes, beside the logged action alone.

    Attributes:
        actions: shape ``(n,)``, indices of the actions taken.
        target: shape ``(n, n_actions)``, the target policy's chance of each action.
        contexts: shape ``(n, n_features)``.
    """

    actions: NDArray[np.intp]
    target: NDArray[np.float64]
    contexts: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LoggedActions:
    """Which action each row took, by name.

    Attributes:
        names: of the actions, each once.
        taken: shape ``(n,)``, indices of the actions taken.
    """

    names: Sequence[str]
    taken: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """Logged rows and the policy in question; each list has one entry for each row.

    With ``logged`` the rows of each action are held against their propensities.
    """

    rewards: NDArray[np.float64]
    propensities: NDArray[np.float64]
    target: NDArray[np.float64]
    all_actions: AllActions | None = None
    logged: LoggedActions | None = None


def value_of(
    rows: PolicyRows, *, level: Literal["L1", "L2"], notices: Sequence[str] = ()
) -> PolicyReport:
    """Return what the target policy would have earned, with 95 % intervals.

    Inverse propensity and its self-normalised form, and, where every action's chance is known, a
    model of rewards alone and doubly robust. Nothing is estimated where the rows do not speak for
    the policy: when they count for fewer than 30, or for less than 1 % of their number, when the
    mean weight is further from 1 than 0.1 and than three of its standard errors, or when an action
    was taken more or less often than its propensities say.

    Raises:
        InvalidInputError: no rows, or a chance or a reward that is none.
    """
    weights = importance_weights(rows.target, rows.propensities)
    logged = inverse_propensity(rows.rewards, np.ones_like(weights))
    support = support_of(weights)
    refusal = support.refusal or _contradiction(rows)
    if refusal is not None:
        return PolicyReport(
            is_refused=True,
            conclusion="What this policy would have earned cannot be said from these rows.",
            reason=refusal,
            level=level,
            n=support.n,
            logged=_interval(logged),
            estimates={},
            support=_support(support),
            notices=tuple(notices),
        )
    estimates = _estimates(rows, weights)
    best: Method = "doubly_robust" if "doubly_robust" in estimates else "snips"
    gain = gain_over(rows.rewards, estimates[best], weights)
    return PolicyReport(
        is_refused=False,
        conclusion=_conclusion(gain),
        level=level,
        n=support.n,
        logged=_interval(logged),
        best=best,
        gain=_interval(gain),
        estimates={name: _interval(estimate) for name, estimate in estimates.items()},
        support=_support(support),
        notices=tuple(notices),
    )


def _contradiction(rows: PolicyRows) -> str | None:
    """Return which action was not taken as often as its propensities say, or None."""
    if rows.logged is None:
        return None
    target = None if rows.all_actions is None else rows.all_actions.target
    found = contradiction_in(rows.logged.taken, rows.propensities, target)
    if found is None:
        return None
    return (
        f"Action {rows.logged.names[found.action]!r} contradicts its propensities: the sum of "
        f"1 / propensity over its rows is {found.ratio:.3f} times the rows in which it could be "
        f"taken, further from 1 than the {found.allowed:.3f} that is tolerated. "
        "So the propensities are not those the log was drawn by, or are not those of the action "
        "taken, or the action could not be taken where the policy wants it. Check the propensity "
        "column."
    )


def _estimates(rows: PolicyRows, weights: NDArray[np.float64]) -> dict[Method, Estimate]:
    found: dict[Method, Estimate] = {
        "ips": inverse_propensity(rows.rewards, weights),
        "snips": self_normalised(rows.rewards, weights),
    }
    known = rows.all_actions
    if known is None or len(weights) < 2:
        return found
    expected = cross_fitted(
        known.contexts,
        known.actions,
        rows.rewards,
        n_actions=known.target.shape[1],
        rng=np.random.default_rng(FOLD_SEED),
    )
    found["direct_method"] = direct_method(expected, known.target)
    found["doubly_robust"] = doubly_robust(
        rows.rewards, weights, known.actions, expected, known.target
    )
    return found


def _conclusion(gain: Estimate) -> str:
    if not math.isfinite(gain.standard_error):
        return "There are too few rows to say how sure the estimates are."
    between = f"95 % interval {gain.low:+.3f} to {gain.high:+.3f}"
    if gain.low > 0:
        return (
            f"The policy would have earned more than the logged one: {gain.value:+.3f} ({between})."
        )
    if gain.high < 0:
        return (
            f"The policy would have earned less than the logged one: {gain.value:+.3f} ({between})."
        )
    return (
        f"Whether the policy would have earned more or less than the logged one is open: "
        f"{gain.value:+.3f} ({between})."
    )


def _support(support: Support) -> WeightSupport:
    return WeightSupport(
        effective_n=support.effective_n,
        effective_share=support.effective_n / support.n,
        mean_weight=support.mean_weight,
        largest_weight=support.largest_weight,
    )


def _interval(estimate: Estimate) -> Interval:
    has_one = math.isfinite(estimate.low)
    return Interval(
        value=estimate.value,
        low=estimate.low if has_one else None,
        high=estimate.high if has_one else None,
    )
