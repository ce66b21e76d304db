"""What a plan looks at, and what it may want done next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ml_orchestrator.serving.control import ServingState, Traffic
from ml_orchestrator.serving.rollout.gates import Gate
from ml_orchestrator.serving.rollout.models import (
    FINAL,
    Choice,
    Progress,
    RolloutSpec,
    RolloutState,
)
from ml_orchestrator.serving.rollout.phases import Phase, phases_of

__all__ = [
    "Action",
    "AskApproval",
    "Decision",
    "Facts",
    "KeepBaseline",
    "Load",
    "Measure",
    "MoveAlias",
    "Note",
    "Retire",
    "Rollout",
    "SetTraffic",
    "Swap",
    "Tell",
    "Turn",
    "Unload",
    "Verify",
    "Wait",
]

EventKind = Literal["state", "pointer", "alias", "phase", "gate", "decision", "message"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A roll-out as it is recorded. ``epoch`` names the worker that may write to it."""

    id: str
    model: str
    alias: str
    version: int
    from_version: int | None
    actor: str
    spec: RolloutSpec
    state: RolloutState
    progress: Progress
    epoch: int
    created_at: str
    updated_at: str

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Its phases in order."""
        return phases_of(self.spec, has_old=self.from_version is not None)

    @property
    def phase(self) -> Phase:
        """The running phase, or the one it paused in."""
        return self.phases[self.progress.phase]

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state in FINAL


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided, not taken in yet; ``approved_by`` is the person behind it, if any."""

    seq: int
    choice: Choice
    actor: str
    reason: str
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The world at one moment, as far as it was looked at.

    ``serving`` is None if the server did not answer, ``silence`` what was heard instead;
    ``alias_version`` is where the alias points.
    """

    now: float
    serving: ServingState | None
    alias_version: int | None
    decision: Decision | None = None
    approval: Literal["none", "pending", "granted", "denied"] = "none"
    approved_by: str | None = None
    silence: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the history."""

    kind: EventKind
    detail: str
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Record a state, changes of the progress and their history, in one transaction."""

    state: RolloutState
    changes: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Verify:
    """Check the version's integrity, then record ``then``."""

    then: Turn


@dataclass(frozen=True, slots=True)
class Load:
    """Load a version beside the one that answers."""

    version: int


@dataclass(frozen=True, slots=True)
class SetTraffic:
    """Change who answers."""

    traffic: Traffic
    generation: int


@dataclass(frozen=True, slots=True)
class KeepBaseline:
    """Keep what the old version answered lately: after the switch it is asked nothing."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Let the version in the other slot answer."""

    generation: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Let the version in the other slot go."""

    generation: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Let the version that answers go: it is the first and went back, so nothing answers."""

    generation: int


@dataclass(frozen=True, slots=True)
class MoveAlias:
    """Move the alias to the new version or back, then record ``then``.

    Moving the same way again does nothing, so it is done until it is recorded.
    """

    way: Literal["forward", "back"]
    then: Turn


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure for these gates and add to their tallies."""

    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Ask a person to approve the switch."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the agents concerned that it ended or paused, then record ``then``."""

    then: Turn


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after ``seconds``."""

    seconds: float


Action: TypeAlias = (
    Turn
    | Verify
    | Load
    | SetTraffic
    | KeepBaseline
    | Swap
    | Unload
    | Retire
    | MoveAlias
    | Measure
    | AskApproval
    | Tell
    | Wait
)
