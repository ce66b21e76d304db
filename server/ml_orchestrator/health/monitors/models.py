"""What a monitor watches and how it judges, and its state as it leaves through a tool."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.health.models import Correction
from ml_orchestrator.health.monitors.watches import is_one_table
from ml_orchestrator.health.options import BASELINE_PREFIX
from ml_orchestrator.identity import AgentName
from ml_orchestrator.records import Record

__all__ = [
    "MAX_TEXT",
    "Alert",
    "AlertKind",
    "Condition",
    "DriftWatch",
    "Look",
    "MonitorChanged",
    "MonitorSpec",
    "MonitorState",
    "MonitorStatus",
    "Monitors",
    "PerformanceWatch",
    "QualityWatch",
    "Retraining",
    "RollBack",
    "Verdict",
    "read_spec",
]

MAX_TEXT = 2_000  # characters of what is said about a look or an alert
Verdict = Literal["good", "bad", "no_data", "unchanged"]
AlertKind = Literal["finding", "no_data"]
MonitorState = Literal["waiting", "healthy", "suspect", "alerting", "no_data"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=500)]
_NOT_PARAMS = {
    "roll_out": "belongs in retrain.roll_out",
    "roll_out_alias": "belongs in retrain.alias",
    "alert_id": "is filled in when the alert opens",
}


class DriftWatch(Record):
    """Inputs compared with the reference.

    calibrated: a column drifts beyond what chunks drawn from the reference itself show, all
    columns together at the monitor's rate. fixed: as `drift_check` decides. ``together`` adds a
    test of all columns at once, at the monitor's rate for rows that do not depend on each other.
    """

    limits: Literal["calibrated", "fixed"] = "calibrated"
    test: str = "auto"
    columns: Names | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    correction: Correction = "benjamini_hochberg"
    share_threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    together: Name | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_new(self, usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``together`` out unless it is set: earlier releases refuse unknown names."""
        content: dict[str, Any] = usual(self)
        return {name: value for name, value in content.items() if value or name != "together"}


class PerformanceWatch(Record):
    """Predictions judged by labels (measured), without them (estimated), or as far as there are
    any (either)."""

    target: Name
    prediction: Name | None = None
    probabilities: Annotated[dict[str, str], Field(min_length=1, max_length=100)] | None = None
    basis: Literal["measured", "estimated", "either"] = "either"
    reference: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None


class QualityWatch(Record):
    """Schema, missing values, ranges, categories, duplicates, volume, freshness."""

    max_age_hours: Annotated[float, Field(gt=0, le=87_600)] | None = None
    counts: Literal["error", "warning"] = "error"
    leave_out: tuple[
        Literal["schema", "nulls", "range", "categories", "duplicates", "volume", "freshness"], ...
    ] = ()


class Retraining(Record):
    """A training started by an alert, and how its version is rolled out; None leaves it at
    ``@challenger``."""

    workflow: Literal["train", "drift-retrain"] = "train"
    params: dict[str, Any]
    roll_out: dict[str, Any] | None = None
    alias: Annotated[str, Field(min_length=1, max_length=64)] = "champion"

    @model_validator(mode="after")
    def _says_each_in_its_place(self) -> "Retraining":
        if misplaced := [name for name in _NOT_PARAMS if name in self.params]:
            advice = "; ".join(f"{name} {_NOT_PARAMS[name]}" for name in misplaced)
            raise ValueError(f"params cannot say {', '.join(misplaced)}: {advice}")
        return self


class RollBack(Record):
    """A version taken back by an alert: a running roll-out, else the alias's last move."""

    model: Annotated[str, Field(min_length=1, max_length=128)]
    alias: Annotated[str, Field(min_length=1, max_length=64)] = "champion"


class MonitorSpec(Record):
    """What is watched, how it is judged, when, and what an alert sets off.

    A file is looked at whole and again only once it has changed, so that of a file one bad look
    opens an alert and one good look ends it unless ``open_after`` and ``resolve_after`` are given;
    of what brings new rows with each look, it takes two.
    """

    watch: Annotated[str, Field(min_length=1, max_length=1_000)]
    reference: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None
    drift: DriftWatch | None = None
    performance: PerformanceWatch | None = None
    quality: QualityWatch | None = None
    column_types: Annotated[dict[str, ColumnType], Field(max_length=500)] = {}
    time_column: Name | None = None
    rows: Annotated[int, Field(ge=10, le=1_000_000)] = 20_000
    least_rows: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    false_alarm_rate: Annotated[float, Field(ge=0.001, le=0.2)] = 0.01
    cron: str | None = None
    every_s: Annotated[float, Field(ge=10, le=31_622_400)] | None = None
    zone: Annotated[str, Field(max_length=64)] = "UTC"
    open_after: Annotated[int, Field(ge=1, le=20)] = 2
    of: Annotated[int, Field(ge=1, le=20)] = 3
    resolve_after: Annotated[int, Field(ge=1, le=20)] = 2
    grace_s: Annotated[float, Field(ge=0, le=31_622_400)] = 86_400.0
    tell: Annotated[tuple[AgentName, ...], Field(max_length=20)] = ()
    retrain: Retraining | None = None
    roll_back: RollBack | None = None

    @model_validator(mode="before")
    @classmethod
    def _counts_versions_of_a_file(cls, given: Any) -> Any:
        if isinstance(given, dict) and is_one_table(str(given.get("watch", ""))):
            return {"open_after": 1, "resolve_after": 1, **given}
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> "MonitorSpec":
        if self.drift is None and self.performance is None and self.quality is None:
            raise ValueError("nothing would be checked; give drift, performance or quality")
        own = self.performance and self.performance.reference
        needs = self.drift or self.quality or (self.performance and not own)
        if self.reference is None and needs:
            raise ValueError("reference is missing: baseline:NAME, or a data set to compare with")
        if self.open_after > self.of:
            raise ValueError(f"open_after {self.open_after} bad looks cannot be among {self.of}")
        if self.least_rows > self.rows:
            raise ValueError(f"least_rows {self.least_rows} is more than rows {self.rows}")
        if self.performance and str(self.reference).startswith(BASELINE_PREFIX) and not own:
            raise ValueError(
                "performance needs rows with labels: give performance.reference, a data set"
            )
        return self

    @property
    def actions(self) -> tuple[str, ...]:
        """What an alert about a finding sets off, in this order."""
        asked = (("retrain", self.retrain), ("roll_back", self.roll_back))
        return ("tell", *(name for name, wanted in asked if wanted is not None))

    @property
    def rate(self) -> float:
        """The share of looks that each check with a rate of its own may find bad by chance."""
        has_limits = self.drift is not None and self.drift.limits == "calibrated"
        looks_at_all = self.drift is not None and self.drift.together is not None
        n_checks = has_limits + looks_at_all + (self.performance is not None)
        return self.false_alarm_rate / max(1, n_checks)


class Look(Record):
    """One look at the data."""

    at: Annotated[str, Field(description="ISO 8601 UTC.")]
    verdict: Annotated[
        Verdict,
        Field(description="unchanged: nothing new since the last look; it counts as none."),
    ]
    summary: str
    findings: Annotated[tuple[str, ...], Field(description="One sentence each.")] = ()


class Alert(Record):
    """One episode: from the look that opened it to the one that resolved it."""

    alert_id: str
    monitor: str
    kind: Annotated[AlertKind, Field(description="What was found, or that nothing came.")]
    summary: str
    opened_at: Annotated[str, Field(description="ISO 8601 UTC.")]
    resolved_at: str | None = None
    events: Annotated[tuple[str, ...], Field(description="What was done about it.")] = ()


class Condition(Record):
    """What the looks so far add up to.

    Attributes:
        recent: whether each of the last looks with data was bad, oldest first.
        n_good: good looks in a row.
        last_data_at: ISO 8601 UTC; when there were last new data, or the monitor began.
        seen: what the last look saw, so that the next one takes what is new.
        limits: what was calibrated on the reference.
        reported: what the open alert is about, each named alike in every look.
    """

    state: MonitorState = "waiting"
    recent: tuple[bool, ...] = ()
    n_good: int = 0
    last_data_at: str
    seen: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    reported: tuple[str, ...] = ()


class MonitorStatus(Record):
    """A monitor and how what it watches is."""

    name: str
    owner: str
    watch: str
    state: Annotated[
        MonitorState,
        Field(
            description="waiting: not looked yet; suspect: bad, not yet an alert; no_data: nothing "
            "to look at, which is not healthy."
        ),
    ]
    is_paused: bool
    schedule: Annotated[str, Field(description="When it looks.")]
    next_look_at: Annotated[str | None, Field(description="ISO 8601 UTC; null while paused.")]
    n_looks: int
    last_look: Look | None
    open_alert: Alert | None


class Monitors(Record):
    """All monitors and the alerts that are open."""

    monitors: tuple[MonitorStatus, ...] = ()
    open_alerts: tuple[Alert, ...] = ()


class MonitorChanged(Record):
    """What was changed, or with a dry run would be."""

    is_dry_run: bool
    change: Annotated[str, Field(description="What changes, in one sentence.")]
    does: Annotated[
        tuple[str, ...], Field(description="What it checks, when it alerts, what it then does.")
    ] = ()
    next_looks_at: Annotated[tuple[str, ...], Field(description="The next times, UTC.")] = ()
    monitor: MonitorStatus | None = None


def read_spec(given: dict[str, Any]) -> MonitorSpec:
    """Return a specification completed with defaults.

    Raises:
        InvalidInputError: the message lists every fault, and the fields that exist.
    """
    try:
        return MonitorSpec.model_validate(given)
    except ValidationError as error:
        fields = MonitorSpec.model_fields
        faults = faults_of(error.errors()[:8], whole="spec", known=fields)
        known = ", ".join(fields)
        raise InvalidInputError(f"The monitor cannot be set: {faults}. Fields: {known}.") from error
