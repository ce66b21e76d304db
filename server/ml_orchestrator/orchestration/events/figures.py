"""What a subscriber has done, counted: for health, for ``/metrics`` and for OpenTelemetry."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ml_orchestrator.orchestration.events.definition import Priority
from ml_orchestrator.telemetry.measures import EVENT_LEVELS, count_delivery, count_shed
from ml_orchestrator.telemetry.prometheus import Histogram, head, sample

__all__ = ["HANDLED_BOUNDS_S", "LEVELS", "Figures", "SubscriberFigures", "page"]

HANDLED_BOUNDS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
OUTCOMES = ("done", "failed", "timeout", "dead")
LEVELS = ("waiting", "limit", "stuck")  # of EVENT_LEVELS, those that a process knows by itself


@dataclass(frozen=True, slots=True)
class SubscriberFigures:
    """How a subscriber is at one moment.

    Attributes:
        name: Of the subscriber.
        is_durable: Whether what it cannot keep up with waits in the database.
        n_waiting: Deliveries that wait in this process.
        n_active: Deliveries that are being handled.
        limit: How many may be at once, as learnt; those of high priority pass it.
        n_stuck: Handlers that did not stop when they were told to.
        counts: How many deliveries ended in which way since the process began.
        n_shed: How many events were left out, by priority.
    """

    name: str
    is_durable: bool
    n_waiting: int
    n_active: int
    limit: int
    n_stuck: int
    counts: Mapping[str, int]
    n_shed: Mapping[str, int]

    def level(self, name: str) -> int:
        """Return one of ``LEVELS``."""
        return {"waiting": self.n_waiting, "limit": self.limit, "stuck": self.n_stuck}[name]


class Figures:
    """Counts of one subscriber; written by the loop of the bus, read by any thread."""

    def __init__(self, subscriber: str) -> None:
        self.name = subscriber
        self._lock = threading.Lock()
        self._handled = Histogram(HANDLED_BOUNDS_S)
        self._labels = (("subscriber", subscriber),)
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.n_shed = {priority.name.lower(): 0 for priority in Priority}

    def count(self, outcome: str, took_s: float) -> None:
        """Count a delivery that ended as one of ``OUTCOMES``, after ``took_s`` of handling."""
        self.counts[outcome] += 1
        with self._lock:
            self._handled.observe(took_s, self._labels)
        count_delivery(took_s, subscriber=self.name, outcome=outcome)

    def count_dead(self) -> None:
        """Count a delivery that was given up."""
        self.counts["dead"] += 1
        count_delivery(None, subscriber=self.name, outcome="dead")

    def count_shed(self, priority: Priority) -> None:
        """Count an event that was left out."""
        self.n_shed[priority.name.lower()] += 1
        count_shed(subscriber=self.name, priority=priority.name.lower())

    def durations(self) -> Iterator[str]:
        """Return the samples of how long handling took, without their head."""
        with self._lock:
            return iter(list(self._handled.lines(_HANDLED, _HANDLED_TEXT))[2:])


_HANDLED = "ml_orchestrator_event_duration_seconds"
_HANDLED_TEXT = "How long handlers of events took, by subscriber."


def page(
    found: Sequence[tuple[SubscriberFigures, Figures]],
    *,
    n_behind: Mapping[str, int],
    taps: Figures,
) -> list[str]:
    """Return the figures in Prometheus' format.

    Args:
        found: Of each subscriber in this process.
        n_behind: How many events wait in the database, by durable subscriber.
        taps: What was left out for those who listen and do not keep up.
    """
    lines = list(head("ml_orchestrator_event_deliveries_total", "counter", "Deliveries, by end."))
    for each, _ in found:
        for outcome, n in each.counts.items():
            labels = {"subscriber": each.name, "outcome": outcome}
            lines.append(sample("ml_orchestrator_event_deliveries_total", labels, n))
    lines += head("ml_orchestrator_events_shed_total", "counter", "Events left out, by priority.")
    for counted in (*(figures for _, figures in found), taps):
        for priority, n in counted.n_shed.items():
            labels = {"subscriber": counted.name, "priority": priority}
            lines.append(sample("ml_orchestrator_events_shed_total", labels, n))
    levels = {name: {each.name: each.level(name) for each, _ in found} for name in LEVELS}
    for level, by_subscriber in {**levels, "behind": n_behind}.items():
        name = f"ml_orchestrator_events_{level}"
        lines += head(name, "gauge", EVENT_LEVELS[level][1])
        lines += [sample(name, {"subscriber": who}, n) for who, n in by_subscriber.items()]
    lines += head(_HANDLED, "histogram", _HANDLED_TEXT)
    for _, figures in found:
        lines += figures.durations()
    return lines
