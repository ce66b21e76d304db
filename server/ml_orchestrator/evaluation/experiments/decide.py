"""From what a method found to a decision."""

from collections.abc import Sequence

from ml_orchestrator.evaluation.experiments.found import Found
from ml_orchestrator.evaluation.experiments.models import Comparison, Decision
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions

__all__ = ["best_arm", "decide", "decide_all"]


def decide(
    found: Found,
    options: ExperimentOptions,
    *,
    adjusted_p: float | None,
    interval_p: float = 0.0,
    alpha: float,
    n_smallest: int,
) -> Decision:
    """Return what is shown of one arm and the control, the experiment being sound.

    Args:
        found: by the method.
        options: margin, plan and direction.
        adjusted_p: corrected for many arms; None where the method has no p value.
        interval_p: likewise, of the test that the interval inverts; 0 where it is the same.
        alpha: of one comparison, for what is not corrected that way.
        n_smallest: units of the smaller arm, to hold against the size planned.
    """
    planned = options.planned.n_per_arm
    is_complete = planned is None or n_smallest >= planned
    if not options.is_sequential and not is_complete:
        return "keep_going"  # a test that is looked at once holds at its planned size alone
    if _is_equivalent(found, options, alpha):
        return "equivalent"
    is_different = found.is_different
    if is_different is None:
        is_different = adjusted_p is not None and max(adjusted_p, interval_p) <= options.alpha
    if is_different:
        return "b_better" if (found.sign > 0) != options.lower_is_better else "a_better"
    if options.is_sequential and (planned is None or not is_complete):
        return "keep_going"
    return "no_difference_shown"


def decide_all(comparisons: Sequence[Comparison]) -> Decision:
    """Return what is shown of the whole experiment; with many arms, of the best of them."""
    decisions = {comparison.decision for comparison in comparisons}
    first: tuple[Decision, ...] = ("invalid", "b_better", "keep_going")
    for one in first:
        if one in decisions:
            return one
    return decisions.pop() if len(decisions) == 1 else "no_difference_shown"


def best_arm(comparisons: Sequence[Comparison], options: ExperimentOptions) -> Comparison:
    """Return the comparison of the arm that looks best, among those shown better if any is."""
    shown = [c for c in comparisons if c.decision == "b_better"] or list(comparisons)
    return max(shown, key=lambda c: -c.effect if options.lower_is_better else c.effect)


def _is_equivalent(found: Found, options: ExperimentOptions, alpha: float) -> bool:
    if options.margin is None:
        return False
    if options.is_sequential:
        return -options.margin < found.low and found.high < options.margin
    return found.equivalence_p is not None and found.equivalence_p <= alpha
