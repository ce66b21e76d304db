"""What one version answered lately: counts, latencies and a uniform sample of predictions."""

import heapq
import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from ml_orchestrator.serving.control import SlotStats
from ml_orchestrator.serving.models import Prediction

__all__ = ["MAX_WINDOW_S", "Window"]

MAX_WINDOW_S = 600.0
BUCKET_S = 0.5
SAMPLE_SIZE = 200
_STEP = math.log(1.04)  # latencies are kept to within 2%
_FLOOR_MS = 1e-3

Keyed = tuple[float, Prediction]


@dataclass(slots=True)
class _Bucket:
    """Half a second of answers; the sample holds those of the smallest random keys."""

    number: int
    n_requests: int = 0
    n_errors: int = 0
    latencies: Counter[int] = field(default_factory=Counter)
    sample: list[Keyed] = field(default_factory=list)  # a heap of negated keys

    def keep(self, key: float, prediction: Prediction) -> None:
        if len(self.sample) < SAMPLE_SIZE:
            heapq.heappush(self.sample, (-key, prediction))
        elif -key > self.sample[0][0]:
            heapq.heapreplace(self.sample, (-key, prediction))


class Window:
    """A sliding window over the answers of one version. Not thread-safe: its owner locks.

    Every prediction draws a random key and the smallest keys are kept, so that the union over
    any number of buckets is again a uniform sample.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._buckets: deque[_Bucket] = deque()

    def add(
        self, now_s: float, *, latency_ms: float, is_error: bool, predictions: Sequence[Prediction]
    ) -> None:
        """Count one answer, at ``now_s`` of a clock that never goes back."""
        bucket = self._bucket(int(now_s / BUCKET_S))
        bucket.n_requests += 1
        bucket.n_errors += is_error
        bucket.latencies[int(math.log(max(latency_ms, _FLOOR_MS)) // _STEP)] += 1
        for prediction in predictions:
            if isinstance(prediction, bool | int | float | str):
                bucket.keep(self._rng.random(), prediction)

    def stats(self, version: int, *, now_s: float, window_s: float) -> SlotStats:
        """Return what was counted in the last ``window_s`` seconds, 600 at most."""
        window_s = min(window_s, MAX_WINDOW_S)
        oldest = (now_s - window_s) / BUCKET_S
        seen = [bucket for bucket in self._buckets if bucket.number + 1 > oldest]
        latencies: Counter[int] = Counter()
        for bucket in seen:
            latencies.update(bucket.latencies)
        return SlotStats(
            version=version,
            window_s=window_s,
            n_requests=sum(bucket.n_requests for bucket in seen),
            n_errors=sum(bucket.n_errors for bucket in seen),
            p50_ms=_quantile(latencies, 0.50),
            p95_ms=_quantile(latencies, 0.95),
            p99_ms=_quantile(latencies, 0.99),
            predictions=_smallest(keyed for bucket in seen for keyed in bucket.sample),
        )

    def _bucket(self, number: int) -> _Bucket:
        if not self._buckets or self._buckets[-1].number < number:
            self._buckets.append(_Bucket(number))
            while self._buckets[0].number < number - MAX_WINDOW_S / BUCKET_S:
                self._buckets.popleft()
        return self._buckets[-1]


def _smallest(sample: Iterable[Keyed]) -> tuple[Prediction, ...]:
    kept = heapq.nlargest(SAMPLE_SIZE, sample, key=lambda keyed: keyed[0])
    return tuple(prediction for _, prediction in kept)


def _quantile(latencies: Counter[int], share: float) -> float | None:
    wanted = share * latencies.total()
    seen = 0
    for step in sorted(latencies):
        seen += latencies[step]
        if seen >= wanted:
            return round(math.exp((step + 0.5) * _STEP), 4)
    return None
