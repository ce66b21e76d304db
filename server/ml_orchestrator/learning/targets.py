"""What the log of decisions says of a policy: one rule set always, any alike, or a learned one."""

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.learning.evidence import Evidence, Judged
from ml_orchestrator.learning.insights import rule_insights
from ml_orchestrator.learning.learner import FLOOR
from ml_orchestrator.learning.log import LoggedDecision
from ml_orchestrator.learning.models import LEVELS, FeedbackKind, PolicyName, rules_key
from ml_orchestrator.learning.policies import POLICIES, Situation
from ml_orchestrator.learning.policy_models import PolicyReport
from ml_orchestrator.learning.policy_value import AllActions, LoggedActions, PolicyRows, value_of
from ml_orchestrator.numerics.bandits.floor import with_floor

__all__ = ["LEARNED", "MOST_SHOWN", "report_on_log"]

LEARNED = tuple(name for name in get_args(PolicyName) if name != "uniform")
MOST_SHOWN = 20  # insights
MOST_ASKED = 2_000  # decisions that a learned policy is asked about
FEWEST = 20


def report_on_log(
    decisions: Sequence[LoggedDecision], target: str, *, kind: FeedbackKind
) -> PolicyReport:
    """Return what a policy would have earned in judged decisions, and what each rule does.

    Args:
        decisions: oldest first; those that were not judged are passed over, and counted.
        target: ``uniform``; a policy's name, learned from the older half of the decisions and
            asked about the newer, with the floor that `prompt_select` keeps below each chance;
            else rules joined by ``+`` that are always chosen, ``none`` for no rule.
        kind: of the feedback.

    Raises:
        InvalidInputError: too few judged decisions, or a target that was never a candidate.
    """
    judged = [decision for decision in decisions if decision.reward is not None]
    if len(judged) < FEWEST:
        raise InvalidInputError(
            f"{len(judged)} of {len(decisions)} logged decisions have {kind} feedback; at least "
            f"{FEWEST} are needed. Give prompt_feedback for more decisions first."
        )
    notices = [f"{len(judged):,} of the newest {len(decisions):,} decisions were judged."]
    if target in LEARNED:
        half = len(judged) // 2
        evidence, asked = _evidence(judged[:half]), judged[half:][-MOST_ASKED:]
        chances = [_learned(decision, target, evidence) for decision in asked]
        notices.append(f"{target} learned from the older {half:,} and was asked about later ones.")
    else:
        asked = _able(judged, target)
        chances = [_fixed(decision, target) for decision in asked]
        if len(asked) < len(judged):
            notices.append(
                f"{target!r} was a candidate in {len(asked):,} of them; only these count."
            )
    report = value_of(_rows(asked, chances), level=LEVELS[kind], notices=notices)
    return report.model_copy(update={"insights": tuple(rule_insights(judged)[:MOST_SHOWN])})


def _key(target: str) -> str:
    return "" if target == "none" else rules_key(target)


def _able(judged: Sequence[LoggedDecision], target: str) -> list[LoggedDecision]:
    if target == "uniform":
        return list(judged)
    able = [decision for decision in judged if _key(target) in decision.keys]
    if not able:
        known = sorted({key or "none" for decision in judged for key in decision.keys})
        raise InvalidInputError(
            f"{target!r} was never a candidate. Candidates: {', '.join(known[:30])}; or a policy: "
            f"uniform, {', '.join(LEARNED)}."
        )
    return able


def _fixed(decision: LoggedDecision, target: str) -> NDArray[np.float64]:
    n = len(decision.keys)
    if target == "uniform":
        return np.full(n, 1 / n)
    return np.array([float(key == _key(target)) for key in decision.keys])


def _learned(
    decision: LoggedDecision, policy: str, evidence: dict[int, Evidence]
) -> NDArray[np.float64]:
    """Return the chances that `prompt_select` would draw by, its floor included."""
    context = np.array(decision.context)
    known = evidence.get(context.size) or Evidence(context.size)
    return with_floor(POLICIES[policy](Situation(context, decision.keys, known)), FLOOR)


def _evidence(judged: Sequence[LoggedDecision]) -> dict[int, Evidence]:
    rows: dict[int, list[Judged]] = {}
    for i, decision in enumerate(judged):
        chance = decision.propensities[decision.keys.index(decision.chosen)]
        row = Judged(i, decision.context, decision.chosen, decision.reward or 0.0, chance)
        rows.setdefault(len(decision.context), []).append(row)
    found = {n_features: Evidence(n_features) for n_features in rows}
    for n_features, evidence in found.items():
        evidence.add(rows[n_features])
    return found


def _rows(asked: Sequence[LoggedDecision], chances: Sequence[NDArray[np.float64]]) -> PolicyRows:
    """Return decisions as rows; a model of rewards needs contexts of one length."""
    places = [decision.keys.index(decision.chosen) for decision in asked]
    keys = sorted({key for decision in asked for key in decision.keys})
    number = {key: i for i, key in enumerate(keys)}
    taken = np.array([number[decision.chosen] for decision in asked], dtype=np.intp)
    all_actions = None
    if len({len(decision.context) for decision in asked}) == 1:
        target = np.zeros((len(asked), len(keys)))
        for row, (decision, given) in enumerate(zip(asked, chances, strict=True)):
            target[row, [number[key] for key in decision.keys]] = given
        all_actions = AllActions(
            taken,
            target,
            np.array([decision.context for decision in asked]),
        )
    return PolicyRows(
        np.array([decision.reward for decision in asked], dtype=np.float64),
        np.array([d.propensities[p] for d, p in zip(asked, places, strict=True)]),
        np.array([float(given[p]) for given, p in zip(chances, places, strict=True)]),
        all_actions,
        LoggedActions([key or "none" for key in keys], taken),
    )
