"""Gates: what a number must be like for a roll-out to go on, after Argo Rollouts' analysis.

A gate measures again and again. Each measurement is a success, a failure, an error (it could not
be taken) or inconclusive; a tally of them gives the gate's verdict. No data is inconclusive.
Pure: nothing here measures anything.

Reference: the ``AnalysisTemplate`` of Argo Rollouts.
"""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ml_orchestrator.records import Record

__all__ = ["DEFAULT_GATES", "Gate", "Measured", "Metric", "Outcome", "Tally", "Verdict"]

Metric = Literal[
    "health",
    "error_rate",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "latency_p50_ratio",
    "latency_p95_ratio",
    "latency_p99_ratio",
    "prediction_drift",
    "task_loss",
]
Outcome = Literal["success", "failure", "inconclusive", "error"]
Verdict = Literal["running", "successful", "failed", "inconclusive", "error"]


class Measured(Record):
    """One measurement: a number, or why there is none.

    ``low`` and ``high`` bound a number that is only estimated.
    """

    value: float | None
    detail: str
    low: float | None = None
    high: float | None = None
    is_error: bool = False


class Gate(Record):
    """A limit on one metric. Less is better for every metric.

    With both limits, what lies between them is inconclusive; with one, everything else is the
    other outcome; with none, any value is a success. An estimate with bounds must lie wholly on
    one side of a limit.
    """

    metric: Annotated[Metric, Field(description="What is measured, of the new version.")]
    succeeds_at_most: Annotated[
        float | None, Field(description="Success up to here.", allow_inf_nan=False)
    ] = None
    fails_above: Annotated[
        float | None, Field(description="Failure above this.", allow_inf_nan=False)
    ] = None
    interval_s: Annotated[
        float, Field(gt=0, le=3_600, description="Time between measurements.")
    ] = 10.0
    count: Annotated[
        int, Field(ge=1, le=10_000, description="Measurements it takes at least to pass a phase.")
    ] = 3
    initial_delay_s: Annotated[
        float, Field(ge=0, le=3_600, description="Time before the first measurement of a phase.")
    ] = 10.0
    failure_limit: Annotated[
        int, Field(ge=0, description="Failures allowed in a phase; one more rolls back.")
    ] = 0
    consecutive_error_limit: Annotated[
        int, Field(ge=0, description="Errors in a row allowed; one more rolls back.")
    ] = 4
    inconclusive_limit: Annotated[
        int, Field(ge=0, description="Inconclusive ones allowed; one more asks a person.")
    ] = 2
    min_requests: Annotated[
        int, Field(ge=0, description="Fewer answers (or labels) than this are no data.")
    ] = 20
    window_s: Annotated[
        float, Field(gt=0, le=86_400, description="Answers of this last time are measured.")
    ] = 60.0

    @model_validator(mode="after")
    def _limits_in_order(self) -> "Gate":
        low, high = self.succeeds_at_most, self.fails_above
        if low is not None and high is not None and low > high:
            raise ValueError(
                f"gate {self.metric}: succeeds_at_most {low:g} lies above fails_above {high:g}"
            )
        return self

    def judge(self, measured: Measured) -> Outcome:
        """Return what one measurement is.

        >>> gate = Gate(metric="error_rate", succeeds_at_most=0.01, fails_above=0.05)
        >>> [gate.judge(Measured(value=v, detail="")) for v in (0.0, 0.03, 0.2, None)]
        ['success', 'inconclusive', 'failure', 'inconclusive']
        """
        if measured.is_error:
            return "error"
        value = measured.value
        if value is None or math.isnan(value):
            return "inconclusive"
        low = value if measured.low is None else measured.low
        high = value if measured.high is None else measured.high
        if low > _first(self.fails_above, self.succeeds_at_most):
            return "failure"
        return (
            "success" if high <= _first(self.succeeds_at_most, self.fails_above) else "inconclusive"
        )


def _first(limit: float | None, other: float | None) -> float:
    """Return a limit, else the other one, else one that nothing exceeds."""
    return next((x for x in (limit, other) if x is not None), math.inf)


class Tally(Record):
    """The measurements of one gate in the running phase."""

    n_success: int = 0
    n_failure: int = 0
    n_inconclusive: int = 0
    n_error: int = 0
    n_error_in_a_row: int = 0
    last: Outcome | None = None
    last_value: float | None = None
    last_detail: str = ""
    last_at: Annotated[float | None, Field(description="Seconds since the epoch.")] = None

    @property
    def n(self) -> int:
        """How many measurements were taken."""
        return self.n_success + self.n_failure + self.n_inconclusive + self.n_error

    def add(self, outcome: Outcome, measured: Measured, *, at: float) -> "Tally":
        """Return the tally with one more measurement."""
        name = f"n_{outcome}"
        return self.model_copy(
            update={
                name: getattr(self, name) + 1,
                "n_error_in_a_row": self.n_error_in_a_row + 1 if outcome == "error" else 0,
                "last": outcome,
                "last_value": measured.value,
                "last_detail": measured.detail,
                "last_at": at,
            }
        )

    def verdict(self, gate: Gate) -> Verdict:
        """Return what the measurements so far say; only ``successful`` lets a phase pass.

        In Argo's order: too many failures, too many inconclusive ones, too many errors in a row.
        ``count`` is the number of conclusive measurements it takes; a gate goes on measuring
        afterwards as long as its phase lasts, and its latest measurement must not be one that
        says nothing.
        """
        if self.n_failure > gate.failure_limit:
            return "failed"
        if self.n_inconclusive > gate.inconclusive_limit:
            return "inconclusive"
        if self.n_error_in_a_row > gate.consecutive_error_limit:
            return "error"
        is_enough = self.n_success + self.n_failure >= gate.count and self.n_success > 0
        return "successful" if is_enough and self.last in ("success", "failure") else "running"

    def next_at(self, gate: Gate, *, phase_started_at: float) -> float:
        """Return when the next measurement is due, in seconds since the epoch."""
        if self.last_at is None:
            return phase_started_at + gate.initial_delay_s
        return self.last_at + gate.interval_s


DEFAULT_GATES = (
    Gate(metric="health", succeeds_at_most=0, min_requests=0, initial_delay_s=0, interval_s=2),
    Gate(metric="error_rate", succeeds_at_most=0.01, fails_above=0.05),
    Gate(metric="latency_p95_ratio", succeeds_at_most=1.5, fails_above=2.0),
    Gate(metric="prediction_drift", succeeds_at_most=0.1, fails_above=0.2, min_requests=50),
)
