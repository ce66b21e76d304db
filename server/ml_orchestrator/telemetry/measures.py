"""What is counted, under the names of the semantic conventions where there are any.

``mcp.server.operation.duration`` and its attributes are those of the conventions for MCP
(status: development); the rest is ours and begins with ``ml_orchestrator.``. Values of
attributes come from small sets, so that their number stays bounded.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from ml_orchestrator import __version__

__all__ = [
    "CALL_BOUNDS_S",
    "EVENT_LEVELS",
    "EventLevels",
    "count_calls",
    "count_delivery",
    "count_drift",
    "count_predictions",
    "count_shed",
    "count_trial",
    "watch_events",
    "watch_queue",
]

CALL_BOUNDS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_SCORES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0)

# How subscribers of events are at one moment: name, unit and text, here and for Prometheus.
EVENT_LEVELS = {
    "waiting": ("{delivery}", "Deliveries that wait in this process."),
    "limit": ("{delivery}", "Deliveries at once, as learnt; high ones pass it."),
    "stuck": ("{handler}", "Handlers that did not stop when told to."),
    "behind": ("{event}", "Events that wait in the database."),
}
EventLevels: TypeAlias = Callable[[str], Mapping[str, int]]

_watched: list[EventLevels] = []  # instruments stay as long as the process; buses come and go
_meter = get_meter("ml-orchestrator", __version__)
_calls = _meter.create_histogram(
    "mcp.server.operation.duration",
    unit="s",
    description="From an MCP request received to its result.",
    explicit_bucket_boundaries_advisory=CALL_BOUNDS_S,
)
_trials = _meter.create_counter(
    "ml_orchestrator.trials", unit="{trial}", description="Trials of hyperparameter searches."
)
_trial_durations = _meter.create_histogram(
    "ml_orchestrator.trial.duration",
    unit="s",
    description="How long a trial took, all its folds together.",
    explicit_bucket_boundaries_advisory=CALL_BOUNDS_S,
)
_rows = _meter.create_counter(
    "ml_orchestrator.predictions", unit="{row}", description="Rows predicted."
)
_prediction_durations = _meter.create_histogram(
    "ml_orchestrator.prediction.duration",
    unit="s",
    description="From a request for predictions to its answer.",
    explicit_bucket_boundaries_advisory=(0.001, 0.0025, 0.005, *CALL_BOUNDS_S),
)
_deliveries = _meter.create_counter(
    "ml_orchestrator.event.deliveries", unit="{delivery}", description="Deliveries of events."
)
_delivery_durations = _meter.create_histogram(
    "ml_orchestrator.event.duration",
    unit="s",
    description="How long handlers of events took.",
    explicit_bucket_boundaries_advisory=(0.001, 0.005, *CALL_BOUNDS_S),
)
_shed = _meter.create_counter(
    "ml_orchestrator.events.shed",
    unit="{event}",
    description="Events that a subscriber that cannot keep up was not given.",
)
_drift_checks = _meter.create_counter(
    "ml_orchestrator.drift.checks", unit="{check}", description="Comparisons of two samples."
)
_drift_scores = _meter.create_histogram(
    "ml_orchestrator.drift.score",
    unit="1",
    description="Scores of columns, by the test that gave them.",
    explicit_bucket_boundaries_advisory=_SCORES,
)
_drift_share = _meter.create_histogram(
    "ml_orchestrator.drift.share",
    unit="1",
    description="Share of the compared columns that drifted.",
    explicit_bucket_boundaries_advisory=(0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
)


def count_calls(took_s: float, attributes: Mapping[str, str]) -> None:
    """Count an answered MCP request, with the attributes of the conventions."""
    _calls.record(took_s, attributes)


def count_trial(took_s: float, *, state: str) -> None:
    """Count a trial that is over: complete, pruned or failed."""
    attributes = {"ml_orchestrator.trial.state": state}
    _trials.add(1, attributes)
    _trial_durations.record(took_s, attributes)


def count_predictions(took_s: float, *, model: str, version: int, n_rows: int, code: int) -> None:
    """Count an answer of a model; ``code`` is the status over HTTP, or what it would be."""
    attributes: dict[str, str | int] = {
        "ml_orchestrator.model.name": model,
        "ml_orchestrator.model.version": version,
    }
    _rows.add(n_rows, attributes)
    _prediction_durations.record(took_s, {**attributes, "http.response.status_code": code})


def count_delivery(took_s: float | None, *, subscriber: str, outcome: str) -> None:
    """Count a delivery of an event that was done, failed, timed out or was given up (dead)."""
    attributes = {
        "ml_orchestrator.event.subscriber": subscriber,
        "ml_orchestrator.event.outcome": outcome,
    }
    _deliveries.add(1, attributes)
    if took_s is not None:
        _delivery_durations.record(took_s, attributes)


def count_shed(*, subscriber: str, priority: str) -> None:
    """Count an event that was left out because others, as urgent or more, came."""
    _shed.add(
        1,
        {
            "ml_orchestrator.event.subscriber": subscriber,
            "ml_orchestrator.event.priority": priority,
        },
    )


def count_drift(
    scores: Iterable[tuple[str, float, bool]], *, is_drifted: bool, share_drifted: float
) -> None:
    """Count a comparison: of each column its test, its score and whether it drifted."""
    _drift_checks.add(1, {"ml_orchestrator.drift.is_drifted": is_drifted})
    _drift_share.record(share_drifted)
    for test, score, has_drifted in scores:
        _drift_scores.record(
            score,
            {
                "ml_orchestrator.drift.test": test,
                "ml_orchestrator.drift.is_drifted": has_drifted,
            },
        )


def watch_queue(depths: Callable[[], Mapping[tuple[str, str], int]]) -> None:
    """Report, whenever metrics are collected, how many runs are in each queue and state."""

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        for (queue, state), n_runs in depths().items():
            yield Observation(
                n_runs, {"ml_orchestrator.queue.name": queue, "ml_orchestrator.run.state": state}
            )

    _meter.create_observable_gauge(
        "ml_orchestrator.queue.depth",
        callbacks=[observe],
        unit="{run}",
        description="Runs that wait or go on, by queue.",
    )


def watch_events(levels: EventLevels) -> Callable[[], None]:
    """Report how a bus is whenever metrics are collected, until what is returned is called.

    Args:
        levels: Given a name of ``EVENT_LEVELS``, returns its values by subscriber; it may block.
    """
    _watched.append(levels)

    def end() -> None:
        with suppress(ValueError):  # ended before
            _watched.remove(levels)

    return end


def _observer(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        for levels in tuple(_watched):
            for subscriber, n in levels(name).items():
                yield Observation(n, {"ml_orchestrator.event.subscriber": subscriber})

    return observe


for _name, (_unit, _text) in EVENT_LEVELS.items():
    _meter.create_observable_gauge(
        f"ml_orchestrator.events.{_name}",
        callbacks=[_observer(_name)],
        unit=_unit,
        description=_text,
    )
