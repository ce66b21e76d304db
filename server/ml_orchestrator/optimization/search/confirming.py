"""A front looked at again on held-out evidence, with error control over all of its members."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ml_orchestrator.numerics.multiple_testing import holm
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

    Intervals hold together (Bonferroni), p values are adjusted together (Holm): the chance that
    any rule set without a gain is confirmed is at most 5%. One that copies is not confirmed.
    """
    gains = [evidence.confirm(tried.plan, alpha=ALPHA / len(front)) for tried in front]
    adjusted = holm([gain.p_value for gain in gains])
    members = []
    for tried, gain, p_value in zip(front, gains, adjusted, strict=True):
        copied = evidence.copied(tried.plan) if isinstance(evidence, Applies) else None
        taken = evidence.milliseconds(tried.plan) if isinstance(evidence, Timed) else None
        held_out = Confirmation(
            n=gain.n,
            gain=gain.mean,
            low=gain.low,
            high=gain.high,
            p_adjusted=float(p_value),
            is_confirmed=bool(gain.low > 0 and p_value < ALPHA and copied is None),
            gap=tried.means.effect - gain.mean,
            milliseconds=taken,
            copied=copied,
        )
        members.append(Member(plan=tried.plan, search=tried.means, held_out=held_out))
    return members
