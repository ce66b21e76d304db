"""What a method found of one arm against the control, before it is put into words."""

from dataclasses import dataclass
from typing import Literal

from ml_orchestrator.evaluation.experiments.models import Look

__all__ = ["Found", "Measure"]

Measure = Literal["difference_of_means", "probability_of_superiority"]


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison.

    Attributes:
        effect: b - a, or the probability of superiority.
        low: lower end of the interval.
        high: upper end.
        p_value: two-sided, or None where the method has none.
        interval_p: of the test that the interval inverts, where ``p_value`` is another's; a
            difference is then shown by both or not at all.
        is_different: what a method without p values says; None leaves it to the p value.
        equivalence_p: that the difference is at least the margin, in either direction.
        relative: ratio of means less 1, with its interval.
        measure: what ``effect`` is.
        e_value: largest so far; monitored only.
        shown_at: rows when it first was enough.
        shown: that look; where there is none, the look of the largest e-value.
        looks: the confidence sequence, for a picture.
    """

    effect: float
    low: float
    high: float
    p_value: float | None = None
    interval_p: float | None = None
    is_different: bool | None = None
    equivalence_p: float | None = None
    relative: tuple[float, float | None, float | None] | None = None
    measure: Measure = "difference_of_means"
    e_value: float | None = None
    shown_at: int | None = None
    shown: Look | None = None
    looks: tuple[Look, ...] = ()

    @property
    def sign(self) -> float:
        """Direction of the effect; where monitored, at the look that showed it."""
        return self.effect - self.neutral if self.shown is None else self.shown.effect

    @property
    def is_gone(self) -> bool:
        """Whether the last look does not show the effect of the one that is `shown`."""
        return self.shown is not None and (self.low if self.sign > 0 else -self.high) <= 0

    @property
    def neutral(self) -> float:
        """The effect that is none."""
        return 0.5 if self.measure == "probability_of_superiority" else 0.0
