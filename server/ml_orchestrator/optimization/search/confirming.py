"""A front looked at again on held-out evidence, with error control over all of its members."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ml_orchestrator.optimization.search.evidence import Evidence
from ml_orchestrator.optimization.search.front import Tried
from ml_orchestrator.optimization.search.models import Confirmation, Member, RulePlan

__all__ = ["ALPHA", "confirmed"]

ALPHA = 0.05


@runtime_checkable
class Timed(Protocol):
    """Evidence that knows how long rule sets take."""

    def milliseconds(self, plan: RulePlan) -> float | None:
        """Return the mean time on a held-out prompt; None: not recorded."""
        ...


@runtime_checkable
class Applies(Protocol):
    """Evidence that applies the rules itself."""

    def copied(self, plan: RulePlan) -> str | None:
        """Return words of the search's prompts put into held-out ones."""
        ...


def confirmed(front: Sequence[Tried], evidence: Evidence) -> list[Member]:
    """Return the members of a front with their held-out gains.

    Intervals and p values hold together for the whole front (Bonferroni): the chance that any rule
    set without a gain is confirmed is at most 5%. A p value is twice the one-sided one, as an
    interval has two ends, so that it is below .05 where the interval is above 0 and nowhere else.
    One that copies is not confirmed.
    """
    gains = [evidence.confirm(tried.plan, alpha=ALPHA / len(front)) for tried in front]
    members = []
    for tried, gain in zip(front, gains, strict=True):
        p_value = min(1.0, 2 * len(front) * gain.p_value)
        copied = evidence.copied(tried.plan) if isinstance(evidence, Applies) else None
        taken = evidence.milliseconds(tried.plan) if isinstance(evidence, Timed) else None
        held_out = Confirmation(
            n=gain.n,
            gain=gain.mean,
            low=gain.low,
            high=gain.high,
            p_adjusted=p_value,
            is_confirmed=bool(gain.low > 0 and p_value < ALPHA and copied is None),
            gap=tried.means.effect - gain.mean,
            milliseconds=taken,
            copied=copied,
        )
        members.append(Member(plan=tried.plan, search=tried.means, held_out=held_out))
    return members
