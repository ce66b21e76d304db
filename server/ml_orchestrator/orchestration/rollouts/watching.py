"""Measuring for gates from a running server and from labels that arrived."""

from collections.abc import Callable, Mapping, Sequence

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.control import ServingControl, SlotStats
from ml_orchestrator.serving.rollout.actions import Note, Rollout, Turn
from ml_orchestrator.serving.rollout.gates import Gate, Measured, Tally
from ml_orchestrator.serving.rollout.gates import Outcome as GateOutcome
from ml_orchestrator.serving.rollout.losses import Losses
from ml_orchestrator.serving.rollout.measuring import View, measure
from ml_orchestrator.serving.rollout.outcomes import Pairing, SqlOutcomes

__all__ = ["Watch"]

SHORTEST_WINDOW_S = 1.0
USUAL_WINDOW_S = 60.0
_PAIRING: Mapping[str, Pairing] = {"shadow": "request", "canary": "order"}


class Watch:
    """Takes measurements; it changes nothing."""

    def __init__(self, outcomes: SqlOutcomes, *, now: Callable[[], float]) -> None:
        self._outcomes = outcomes
        self._now = now

    def measure(self, rollout: Rollout, gates: Sequence[Gate], serving: ServingControl) -> Turn:
        """Return the tallies with one more measurement of each of ``gates``."""
        tallies, notes = dict(rollout.progress.tallies), []
        for gate in gates:
            measured = self._measured(rollout, gate, serving)
            outcome, before = gate.judge(measured), tallies.get(gate.metric, Tally())
            tallies[gate.metric] = before.add(outcome, measured, at=self._now())
            if outcome != before.last:
                notes.append(_note(gate, measured, outcome))
        return Turn(rollout.state, {"tallies": tallies}, tuple(notes))

    def keep_baseline(self, rollout: Rollout, serving: ServingControl) -> Turn:
        """Return what the old version answered lately, as a change of the progress."""
        window_s = max((gate.window_s for gate in rollout.spec.gates), default=USUAL_WINDOW_S)
        seen = _of(serving.stats(window_s=window_s), rollout.from_version)
        return Turn(rollout.state, {"baseline": seen or _nothing(rollout, window_s)})

    def _measured(self, rollout: Rollout, gate: Gate, serving: ServingControl) -> Measured:
        try:
            return measure(gate, self._view(rollout, gate, serving))
        except UnavailableError as error:
            return Measured(value=None, detail=str(error), is_error=True)

    def _view(self, rollout: Rollout, gate: Gate, serving: ServingControl) -> View:
        """Look at the answers of this phase only, and at what they are compared with."""
        started_at = rollout.progress.phase_started_at or self._now()
        window_s = max(min(gate.window_s, self._now() - started_at), SHORTEST_WINDOW_S)
        stats = serving.stats(window_s=window_s)
        is_baking = rollout.phase.kind == "baking"
        old = rollout.progress.baseline if is_baking else _of(stats, rollout.from_version)
        return View(_of(stats, rollout.version), old, self._losses(rollout, gate))

    def _losses(self, rollout: Rollout, gate: Gate) -> Losses:
        if gate.metric != "task_loss":
            return Losses()
        return self._outcomes.losses(
            rollout.model,
            old=rollout.from_version,
            new=rollout.version,
            pairing=_PAIRING.get(rollout.spec.strategy, "before"),
            since=rollout.created_at,
        )


def _of(stats: Sequence[SlotStats], version: int | None) -> SlotStats | None:
    return next((slot for slot in stats if slot.version == version), None)


def _nothing(rollout: Rollout, window_s: float) -> SlotStats:
    return SlotStats(
        version=rollout.from_version or 0,
        window_s=window_s,
        n_requests=0,
        n_errors=0,
        p50_ms=None,
        p95_ms=None,
        p99_ms=None,
        predictions=(),
    )


def _note(gate: Gate, measured: Measured, outcome: GateOutcome) -> Note:
    return Note("gate", f"{gate.metric}: {outcome}, {measured.detail}")
