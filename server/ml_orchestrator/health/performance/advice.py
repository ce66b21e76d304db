"""What to do about the performance that was seen."""

from collections.abc import Sequence

from scipy.stats import binom

from ml_orchestrator.health.performance.models import Score

__all__ = ["missed_beyond_chance", "next_steps"]

MISSED_BY_CHANCE = 0.05  # share of chunks outside their interval
RARE = 0.01


def missed_beyond_chance(scores: Sequence[Score]) -> str | None:
    """Return in how many chunks labels lie outside the estimate's interval, if chance seldom does.

    One interval in twenty misses by chance, so that of few chunks one says nothing.
    """
    both = [(s.estimated, s.realised) for s in scores if s.estimated and s.realised]
    n_missed = sum(not e.low <= r.value <= e.high for e, r in both)
    by_chance = float(binom.sf(n_missed - 1, len(both), MISSED_BY_CHANCE))
    return f"{n_missed} of {len(both)}" if both and by_chance <= RARE else None


def next_steps(
    worse: Sequence[str], since: str | None, *, is_measured: bool, missed: str | None
) -> tuple[str, ...]:
    """Return what to do next, one sentence each.

    Args:
        worse: metrics that became worse.
        since: start of the first worse chunk.
        is_measured: whether labels say so.
        missed: in how many chunks labels contradict the estimates, as `missed_beyond_chance` says.
    """
    steps = []
    if missed is not None:
        steps.append(
            f"Labels contradict the estimates (outside the interval in {missed} chunks): the "
            "relation of inputs and target changed. Trust labels only, and retrain on new ones."
        )
    if worse and not is_measured:
        steps.append("Get labels for rows of a worse chunk: the estimate rests on an assumption.")
    if worse:
        steps += [
            f"{', '.join(worse)} became worse: compare the rows since {since} with the reference "
            "(drift_check) and look for a fault in the data first.",
            "If the data are right, train on them and roll the new version out behind a gate.",
        ]
    elif not is_measured:
        steps.append("Measure when labels arrive; an estimate cannot see concept drift.")
    return tuple(steps)
