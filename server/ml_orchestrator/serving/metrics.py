"""What a model server counts, in Prometheus' text format."""

import threading
from collections import Counter
from collections.abc import Iterator

from ml_orchestrator.serving.engine import Outcome
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.telemetry.prometheus import Histogram, head

__all__ = ["Metrics"]

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of one server. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[int, int]] = Counter()
        self._rows: Counter[int] = Counter()
        self._latencies = Histogram(BOUNDS_S)
        self._refusals: Counter[int] = Counter()

    def observe(self, version: int, outcome: Outcome, took_s: float) -> None:
        """Count an answer of a version."""
        with self._lock:
            self._answers[version, outcome.status] += 1
            self._rows[version] += outcome.n_rows
            self._latencies.observe(took_s, (("version", str(version)),))

    def refuse(self, status: int) -> None:
        """Count a request that no version got to see."""
        with self._lock:
            self._refusals[status] += 1

    def exposition(self, slots: ModelSlots) -> str:
        """Return everything as text."""
        with self._lock:
            return "\n".join([*self._counted(), *_of_slots(slots), ""])

    def _counted(self) -> Iterator[str]:
        yield from head("ml_serving_requests_total", "counter", "Answers, by version and status.")
        for (version, status), n in sorted(self._answers.items()):
            yield f'ml_serving_requests_total{{version="{version}",code="{status}"}} {n}'
        yield from head("ml_serving_errors_total", "counter", "Answers with 5xx, by version.")
        for version in sorted({version for version, _ in self._answers}):
            n = sum(k for (v, s), k in self._answers.items() if v == version and s >= 500)
            yield f'ml_serving_errors_total{{version="{version}"}} {n}'
        yield from head("ml_serving_rows_total", "counter", "Rows predicted, by version.")
        for version, n in sorted(self._rows.items()):
            yield f'ml_serving_rows_total{{version="{version}"}} {n}'
        yield from head(
            "ml_serving_refused_total", "counter", "Requests that no version got to see."
        )
        for status, n in sorted(self._refusals.items()):
            yield f'ml_serving_refused_total{{code="{status}"}} {n}'
        yield from self._latencies.lines(
            "ml_serving_latency_seconds", "From a request read to its answer, by version."
        )


def _of_slots(slots: ModelSlots) -> Iterator[str]:
    state = slots.state()
    yield from head("ml_serving_ready", "gauge", "1 if requests can be answered now.")
    yield f"ml_serving_ready {int(slots.fault() is None)}"
    yield from head("ml_serving_loaded", "gauge", "Which version is in which slot.")
    for slot, version in (("blue", state.blue), ("green", state.green)):
        if version is not None:
            yield f'ml_serving_loaded{{slot="{slot}",version="{version}"}} 1'
    yield from head(
        "ml_serving_chances_late_total", "counter",
        "Times that probabilities for the serving log took too long, and were left out a minute.",
    )  # fmt: skip
    for version, n in sorted(slots.chances_late().items()):
        yield f'ml_serving_chances_late_total{{version="{version}"}} {n}'
    yield from head("ml_serving_swaps_total", "counter", "Swaps of the two slots.")
    yield f"ml_serving_swaps_total {slots.n_swaps}"
    yield from head("ml_serving_last_flip_seconds", "gauge", "How long the last swap took.")
    yield f"ml_serving_last_flip_seconds {slots.last_flip_s:.9f}"
    yield from head(
        "ml_serving_shadows_dropped_total", "counter", "Copies dropped since green was busy."
    )
    for version, n in sorted(slots.n_shadows_dropped.items()):
        yield f'ml_serving_shadows_dropped_total{{version="{version}"}} {n}'
