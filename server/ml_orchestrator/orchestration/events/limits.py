"""How many deliveries a subscriber handles at once, learnt from how long they take.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), at most one decrease for each
round of deliveries. The sign of congestion is that of TCP Vegas (Brakmo, O'Malley and Peterson,
1994): deliveries take longer than they used to. What they used to take is a slow average, as in
the limiter "Gradient2" of Netflix's concurrency-limits: a handler that is slow for good is not
throttled for good, since fewer at once would not make it faster.

What is learnt holds for deliveries of low and normal priority, of which there may be too many.
Those of high priority and above may be ``most`` at once whatever was learnt: a handler that has
become slow is a reason to begin fewer of the others, not to let an alert wait behind them.
"""

from dataclasses import dataclass

from ml_orchestrator.errors import InvalidInputError

__all__ = ["AdaptiveLimit", "LimitRange"]

SHORT_N = 10  # deliveries that the quick average looks back
LONG_N = 200  # and the slow one
BACK_OFF = 0.8
FLOOR_S = 0.001  # below this, longer is the noise of a busy machine


@dataclass(frozen=True, slots=True)
class LimitRange:
    """Between which numbers of deliveries at once a limit moves, and where it begins.

    Attributes:
        least: At least 1.
        first: Between ``least`` and ``most``.
        most: Equal to ``least`` for a fixed number.
        tolerance: How many times longer than usual is congestion; above 1.
    """

    least: int = 2
    first: int = 4
    most: int = 32
    tolerance: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.first <= self.most <= 1_000 or self.tolerance <= 1:
            raise InvalidInputError(
                f"A range needs 1 <= least <= first <= most <= 1,000 and tolerance > 1; found "
                f"{self.least}, {self.first}, {self.most} and {self.tolerance:g}."
            )


class AdaptiveLimit:
    """The number of deliveries to handle at once, learnt, from ``range.least`` to ``range.most``.

    Not thread-safe; it belongs to one event loop.
    """

    def __init__(self, limits: LimitRange) -> None:
        self._range = limits
        self._exact = float(limits.first)
        self._usual_s: float | None = None
        self._lately_s = 0.0
        self._n_since_cut = 0

    @property
    def value(self) -> int:
        """How many the handler can take at once, as learnt."""
        return int(self._exact)

    @property
    def most(self) -> int:
        """How many may be at once in all, of which high priorities may be any number."""
        return self._range.most

    @property
    def for_the_rest(self) -> int:
        """How many may be at once in all for one of low or normal priority to begin.

        A quarter of what was learnt is kept for high priorities, at least one where there are two.
        """
        kept = 0 if self.value == 1 else max(1, self.value // 4)
        return self.value - kept

    @property
    def usual_s(self) -> float | None:
        """How long a delivery usually takes, in seconds; None before the first."""
        return self._usual_s

    def observe(self, took_s: float, *, n_at_once: int, has_failed: bool = False) -> None:
        """Take in one delivery that is over.

        Args:
            took_s: How long it took, in seconds.
            n_at_once: How many were being handled when it began, itself included.
            has_failed: It gave no answer in time, which is congestion whatever it took.
        """
        usual_s = self._usual_s
        if usual_s is None:
            self._usual_s = self._lately_s = took_s
            return
        self._lately_s += (took_s - self._lately_s) / SHORT_N
        # Faster than usual is believed sooner than slower: that one may be congestion.
        self._usual_s = usual_s + (took_s - usual_s) / (SHORT_N if took_s < usual_s else LONG_N)
        self._n_since_cut += 1
        threshold_s = max(self._usual_s, FLOOR_S) * self._range.tolerance
        if has_failed or self._lately_s > threshold_s:
            self._cut()
        elif 2 * n_at_once >= self.value:  # an idle limit says nothing about a larger one
            self._exact = min(self._exact + 1 / self._exact, float(self._range.most))

    def _cut(self) -> None:
        if self._n_since_cut < self.value:
            return  # the deliveries of this round began before the last cut
        self._n_since_cut = 0
        self._exact = max(self._exact * BACK_OFF, float(self._range.least))
