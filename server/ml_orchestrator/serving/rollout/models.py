"""What a roll-out is asked to do, what it has done, and what leaves through a tool."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ml_orchestrator.records import Record
from ml_orchestrator.serving.control import SlotStats
from ml_orchestrator.serving.rollout.gates import DEFAULT_GATES, Gate, Tally, Verdict

__all__ = [
    "FINAL",
    "CanaryStep",
    "Choice",
    "GateStatus",
    "Outcome",
    "PausedFor",
    "PhaseKind",
    "Progress",
    "RolloutEvent",
    "RolloutPlan",
    "RolloutPlanned",
    "RolloutSpec",
    "RolloutState",
    "RolloutStatus",
    "Strategy",
]

Strategy = Literal["blue_green", "canary", "shadow", "all_at_once"]
PhaseKind = Literal["green_ready", "canary", "shadow", "baking"]
Outcome = Literal["rolled_back", "aborted"]
PausedFor = Literal["decision", "hold", "gate", "approval"]
Choice = Literal["pause", "resume", "abort", "rollback", "promote"]
RolloutState = Literal[
    "pending",
    "verifying",
    "loading",
    "green_ready",
    "canary",
    "shadow",
    "baking",
    "paused",
    "rolling_back",
    "promoted",
    "rolled_back",
    "aborted",
]
FINAL: frozenset[RolloutState] = frozenset({"promoted", "rolled_back", "aborted"})


class CanaryStep(Record):
    """A share of the traffic for the new version, and how long it is watched there."""

    percent: Annotated[int, Field(ge=1, le=100, description="Share of requests, in %.")]
    pause_s: Annotated[
        float | None,
        Field(ge=0, le=604_800, description="Least time at this share; null until resumed."),
    ] = 60.0


class RolloutSpec(Record):
    """How a version is brought before users."""

    strategy: Annotated[
        Strategy,
        Field(description="blue_green: at once, after a test; canary: in steps; shadow: copies."),
    ] = "blue_green"
    steps: Annotated[
        tuple[CanaryStep, ...], Field(max_length=50, description="Of a canary, up to 100 %.")
    ] = ()
    shadow_percent: Annotated[
        int, Field(ge=1, le=100, description="Share of requests copied to a shadow, in %.")
    ] = 100
    shadow_s: Annotated[
        float, Field(ge=0, le=604_800, description="Least time as a shadow, in s.")
    ] = 300.0
    gates: Annotated[
        tuple[Gate, ...], Field(max_length=20, description="What must hold in every phase.")
    ] = DEFAULT_GATES
    bake_s: Annotated[
        float,
        Field(ge=0, le=604_800, description="Time the old version stays loaded after the switch."),
    ] = 300.0
    approval: Annotated[
        Literal["none", "before_promotion"],
        Field(description="before_promotion: a person approves the switch."),
    ] = "none"
    isolate: Annotated[
        bool, Field(description="A server that is started keeps its models in own processes.")
    ] = False
    pause_limit_s: Annotated[
        float, Field(gt=0, le=2_592_000, description="A pause nobody ends rolls back after this.")
    ] = 86_400.0
    unreachable_limit_s: Annotated[
        float, Field(gt=0, le=3_600, description="Server silent for this long: roll back.")
    ] = 30.0

    @model_validator(mode="after")
    def _steps_fit(self) -> "RolloutSpec":
        if self.strategy != "canary":
            if self.steps:
                raise ValueError(f"steps belong to strategy canary, not {self.strategy}")
            return self
        percents = [step.percent for step in self.steps]
        if not percents or percents[-1] != 100:
            raise ValueError(
                f"canary steps must end at 100 %, or the version is never promoted; found "
                f"{percents}"
            )
        if percents != sorted(set(percents)):
            raise ValueError(f"canary steps must rise; found {percents}")
        return self

    @model_validator(mode="after")
    def _one_gate_a_metric(self) -> "RolloutSpec":
        metrics = [gate.metric for gate in self.gates]
        if len(set(metrics)) != len(metrics):
            raise ValueError(f"one gate a metric; found {metrics}")
        return self


class Progress(Record):
    """How far a roll-out is: all that a new worker must know to go on. Times in epoch seconds."""

    phase: int = 0
    phase_started_at: float | None = None
    tallies: dict[str, Tally] = {}
    baseline: SlotStats | None = None
    pointer: Annotated[int | None, Field(description="Version that answers, as recorded.")] = None
    aliased: Annotated[int | None, Field(description="Where we left the alias, as recorded.")] = (
        None
    )
    has_moved_alias: bool = False
    paused_in: RolloutState | None = None
    paused_for: PausedFor | None = None
    paused_at: float | None = None
    n_pauses: int = 0
    n_pauses_told: int = 0
    approval_id: str | None = None
    approved_by: str | None = None
    is_switch_approved: Annotated[
        bool, Field(description="Not by letting gates go: that is another approval.")
    ] = False
    is_promoted_early: bool = False
    is_baked: bool = False
    decided_at: float | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    alias_refusal: str | None = None
    pointer_refusal: str | None = None
    unreachable_since: float | None = None
    decisions_seen: Annotated[int, Field(description="Last event whose choice was taken in.")] = 0
    rollback_ms: Annotated[
        float | None, Field(description="From the decision to the old version answering.")
    ] = None


class GateStatus(Record):
    """A gate in the running phase."""

    metric: str
    verdict: Annotated[Verdict, Field(description="Only successful lets the phase pass.")]
    n_measured: int
    last_value: float | None
    last_detail: str


class RolloutEvent(Record):
    """One line of a roll-out's append-only history."""

    seq: int
    at: Annotated[str, Field(description="ISO 8601 UTC.")]
    kind: Annotated[
        Literal["state", "pointer", "alias", "phase", "gate", "decision", "message"],
        Field(description="What happened."),
    ]
    actor: str
    detail: str


class RolloutStatus(Record):
    """A roll-out: where it is, why, and what its gates say."""

    rollout_id: str
    model: str
    version: Annotated[int, Field(description="The version being rolled out.")]
    from_version: Annotated[int | None, Field(description="The one before; null for the first.")]
    alias: str
    strategy: Strategy
    state: Annotated[
        RolloutState, Field(description="promoted, rolled_back and aborted are final.")
    ]
    phase: Annotated[str | None, Field(description="Running phase, such as canary 25 %.")]
    fraction: Annotated[float, Field(ge=0, le=1, description="Part of its phases that is done.")]
    reason: Annotated[str | None, Field(description="Why it paused, went back or ended.")]
    needs: Annotated[str | None, Field(description="What a person or an agent must do now.")]
    gates: tuple[GateStatus, ...]
    events: Annotated[tuple[RolloutEvent, ...], Field(description="History, oldest first.")]
    rollback_ms: Annotated[
        float | None, Field(description="From the decision to the old version answering.")
    ]
    actor: str
    created_at: str
    updated_at: str

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state in FINAL


class RolloutPlan(Record):
    """What a roll-out would do."""

    model: str
    alias: str
    from_version: int | None
    to_version: int
    spec: RolloutSpec
    phases: Annotated[tuple[str, ...], Field(description="In order, in words.")]
    obstacles: Annotated[
        tuple[str, ...], Field(description="Why it cannot start; empty if it can.")
    ]
    digest: Annotated[str, Field(description="Pass it as plan_digest to start exactly this.")]


class RolloutPlanned(Record):
    """A plan and, unless it was a dry run, the roll-out that carries it out."""

    plan: RolloutPlan
    rollout: RolloutStatus | None
