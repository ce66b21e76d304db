"""What a strategy does, as phases in order."""

from dataclasses import dataclass

from ml_orchestrator.serving.control import Traffic
from ml_orchestrator.serving.rollout.gates import Gate
from ml_orchestrator.serving.rollout.models import PhaseKind, RolloutSpec

__all__ = ["Phase", "phases_of"]

ALONE = Traffic(mode="single", green_share=0.0)
# What can be said of a version that nobody has asked anything yet.
WITHOUT_TRAFFIC = frozenset({"health"})
RELATIVE = ("latency_p50_ratio", "latency_p95_ratio", "latency_p99_ratio", "prediction_drift")


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which the traffic stays as it is and the gates are watched.

    ``hold_s`` None waits for somebody to resume. In every phase but ``baking`` the old version
    is blue and the new one green; in ``baking`` it is the other way round.
    """

    kind: PhaseKind
    traffic: Traffic
    hold_s: float | None
    gates: tuple[Gate, ...]

    def describe(self) -> str:
        """Return the phase in a few words."""
        held = "until resumed" if self.hold_s is None else f"{self.hold_s:g} s"
        if self.kind == "baking":
            return f"switch, then bake {held}"
        if self.kind == "green_ready":
            return "loaded, before the switch"
        return f"{self.kind} {self.traffic.green_share:.0%}, {held}"


def phases_of(spec: RolloutSpec, *, has_old: bool = True) -> tuple[Phase, ...]:
    """Return the phases of a roll-out; the last is always ``baking``.

    Args:
        spec: What was asked for.
        has_old: Whether an earlier version answers now. Without one there is nothing to share
            traffic with and nothing to compare with: gates that compare are left out.
    """
    gates = spec.gates if has_old else tuple(g for g in spec.gates if g.metric not in RELATIVE)
    return (*_before_the_switch(spec, gates), Phase("baking", ALONE, spec.bake_s, gates))


def _before_the_switch(spec: RolloutSpec, gates: tuple[Gate, ...]) -> tuple[Phase, ...]:
    if spec.strategy == "canary":
        return tuple(
            Phase("canary", Traffic(mode="canary", green_share=s.percent / 100), s.pause_s, gates)
            for s in spec.steps
            if s.percent < 100
        )
    if spec.strategy == "shadow":
        share = Traffic(mode="shadow", green_share=spec.shadow_percent / 100)
        return (Phase("shadow", share, spec.shadow_s, gates),)
    if spec.strategy == "blue_green":
        testable = tuple(gate for gate in gates if gate.metric in WITHOUT_TRAFFIC)
        return (Phase("green_ready", ALONE, 0.0, testable),)
    return ()
