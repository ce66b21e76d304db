"""What a roll-out does next. Pure: it looks at what is recorded and at what is so, and decides.

An effect is wanted as long as the world is not yet as it should be, and recorded once it is; so a
worker that died anywhere is followed by one that neither repeats an effect nor leaves one out.
"""

from collections.abc import Mapping, Sequence

from ml_orchestrator.program import program
from ml_orchestrator.serving.control import ServingState
from ml_orchestrator.serving.rollout.actions import (
    Action,
    AskApproval,
    Facts,
    KeepBaseline,
    Load,
    Measure,
    Note,
    Rollout,
    SetTraffic,
    Swap,
    Tell,
    Turn,
    Unload,
    Verify,
    Wait,
)
from ml_orchestrator.serving.rollout.gates import Gate, Tally
from ml_orchestrator.serving.rollout.phases import ALONE
from ml_orchestrator.serving.rollout.turns import (
    enter,
    forward,
    go_back,
    must_switch_first,
    pause,
    take_in,
)
from ml_orchestrator.serving.rollout.way_back import plan_way_back

__all__ = ["LOOK_S", "plan_next"]

LOOK_S = 0.5
SHORTEST_S = 0.02


def plan_next(rollout: Rollout, facts: Facts) -> Action:
    """Return the next thing to do for an unfinished roll-out."""
    if rollout.state == "rolling_back":
        return plan_way_back(rollout, facts)
    if facts.decision is not None and not must_switch_first(rollout, facts.decision):
        return take_in(rollout, facts, facts.decision)
    if rollout.state in _BEGINNING:
        return _BEGINNING[rollout.state]
    if rollout.state == "paused" and (wanted := _of_any_pause(rollout, facts)):
        return wanted
    if facts.serving is None:
        return _endure_silence(rollout, facts)
    return _plan_with(facts.serving, rollout, facts)


_BEGINNING: Mapping[str, Action] = {
    "pending": Turn("verifying", notes=(Note("state", "verifying"),)),
    "verifying": Verify(Turn("loading", notes=(Note("state", "verified; loading"),))),
}


def _plan_with(serving: ServingState, rollout: Rollout, facts: Facts) -> Action:
    if rollout.progress.unreachable_since is not None:
        return Turn(rollout.state, {"unreachable_since": None})
    if rollout.state == "loading":
        return _load(rollout, facts, serving)
    if rollout.state == "paused" and rollout.progress.phase_started_at is None:
        return _wait_for_a_person(rollout, facts)
    return _watch(rollout, facts, serving)


def _of_any_pause(rollout: Rollout, facts: Facts) -> Turn | Tell | None:
    """Return what a pause wants whether or not the server answers."""
    if _lasts_too_long(rollout, facts):
        return go_back(rollout, facts.now, "Nobody ended the pause in time.")
    if _is_untold(rollout):
        return Tell(Turn("paused", {"n_pauses_told": rollout.progress.n_pauses}))
    return None


def _lasts_too_long(rollout: Rollout, facts: Facts) -> bool:
    paused_at = rollout.progress.paused_at
    return paused_at is not None and facts.now - paused_at > rollout.spec.pause_limit_s


def _is_untold(rollout: Rollout) -> bool:
    """Whether the agents concerned know of this pause; they are to know what a person must do."""
    progress = rollout.progress
    is_asked = progress.paused_for != "approval" or progress.approval_id is not None
    return is_asked and progress.n_pauses_told < progress.n_pauses


def _endure_silence(rollout: Rollout, facts: Facts) -> Action:
    since, limit_s = rollout.progress.unreachable_since, rollout.spec.unreachable_limit_s
    if since is None:
        return Turn(rollout.state, {"unreachable_since": facts.now})
    if facts.now - since > limit_s:
        why = f": {facts.silence}" if facts.silence else "."
        reason = f"The model server gave no answer for {limit_s:g} s{why}"
        return go_back(rollout, facts.now, reason)
    return Wait(LOOK_S)


def _load(rollout: Rollout, facts: Facts, serving: ServingState) -> Action:
    """Bring the old version to answer alone and the new one beside it."""
    old, new = rollout.from_version, rollout.version
    if old is None and serving.blue == new:  # a server that was started for the first version
        return enter(rollout, facts, len(rollout.phases) - 1, {})
    if serving.blue != old:
        return go_back(rollout, facts.now, _unexpected(rollout, serving))
    if serving.traffic != ALONE:
        return SetTraffic(ALONE, serving.generation)
    if serving.green != new:
        return Load(new)
    if rollout.progress.pointer != old:
        return Turn("loading", {"pointer": old})
    return enter(rollout, facts, 0, {"pointer": old})


def _unexpected(rollout: Rollout, serving: ServingState) -> str:
    found = f"The server answers with version {serving.blue}, and @{rollout.alias} "
    if rollout.from_version is not None:
        return f"{found}was at {rollout.from_version}."
    stop = f"{program()} serve --model {rollout.model} --stop"
    return f"{found}was unset. Stop that server (`{stop}`), then start again."


def _watch(rollout: Rollout, facts: Facts, serving: ServingState) -> Action:
    """Keep the traffic as the phase wants it, measure, and go on when every gate lets it pass."""
    if rollout.progress.is_baked:
        return _finish(rollout, serving)
    if wanted := _converge(rollout, facts, serving):
        return wanted
    if rollout.progress.phase_started_at is None:
        note = Note("phase", f"{rollout.phase.describe()}, generation {serving.generation}")
        return Turn(rollout.state, {"phase_started_at": facts.now}, (note,))
    if stopped := _stopped_by_a_gate(rollout, facts):
        return stopped
    return _measure_or_go_on(rollout, facts)


def _measure_or_go_on(rollout: Rollout, facts: Facts) -> Action:
    if due := _due(rollout, facts.now):
        return Measure(due)
    if rollout.state == "paused":
        return _wait_for_a_person(rollout, facts)
    return _go_on(rollout, facts)


def _converge(rollout: Rollout, facts: Facts, serving: ServingState) -> Action | None:
    if rollout.phase.kind == "baking":
        return _switch(rollout, facts, serving)
    if serving.blue != rollout.from_version:
        reason = f"Somebody else let version {serving.blue} answer."
        return go_back(rollout, facts.now, reason)
    if serving.green != rollout.version:
        reason = f"Version {rollout.version} is no longer loaded; the server was restarted."
        return go_back(rollout, facts.now, reason)
    if serving.traffic != rollout.phase.traffic:
        return SetTraffic(rollout.phase.traffic, serving.generation)
    return None


def _switch(rollout: Rollout, facts: Facts, serving: ServingState) -> Action | None:
    """Move the pointer, then the alias; then keep both, and the old version loaded."""
    if wanted := _move_pointer(rollout, facts, serving) or _move_alias(rollout, facts):
        return wanted
    if serving.green != rollout.from_version:
        return go_back(rollout, facts.now, "The model server was restarted while it baked.")
    return None


def _move_pointer(rollout: Rollout, facts: Facts, serving: ServingState) -> Action | None:
    old, new, progress = rollout.from_version, rollout.version, rollout.progress
    if serving.blue == new:
        if progress.pointer == new:
            return None
        note = Note("pointer", f"version {new} answers, generation {serving.generation}")
        return Turn(rollout.state, {"pointer": new}, (note,))
    if progress.phase_started_at is not None or (serving.blue, serving.green) != (old, new):
        reason = f"The server answers with version {serving.blue} and not with {new}."
        return go_back(rollout, facts.now, reason)
    needs_baseline = old is not None and progress.baseline is None
    return KeepBaseline() if needs_baseline else Swap(serving.generation)


def _move_alias(rollout: Rollout, facts: Facts) -> Action | None:
    old, new, progress = rollout.from_version, rollout.version, rollout.progress
    if not progress.has_moved_alias and facts.alias_version in (old, new):
        return forward(rollout)
    if facts.alias_version != new:
        reason = f"Somebody else moved @{rollout.alias} to {facts.alias_version}."
        return go_back(rollout, facts.now, reason)
    return None


def _stopped_by_a_gate(rollout: Rollout, facts: Facts) -> Turn | None:
    verdicts = [(gate, _tally(rollout, gate)) for gate in rollout.phase.gates]
    for gate, tally in verdicts:
        if (verdict := tally.verdict(gate)) in ("failed", "error"):
            reason = f"Gate {gate.metric} {verdict}: {tally.last_detail}"
            return go_back(rollout, facts.now, reason)
    if rollout.state == "paused" or rollout.progress.is_promoted_early:
        return None
    for gate, tally in verdicts:
        if tally.verdict(gate) == "inconclusive":
            reason = f"Gate {gate.metric} cannot decide: {tally.last_detail}"
            return pause(rollout, facts, "gate", reason)
    return None


def _tally(rollout: Rollout, gate: Gate) -> Tally:
    return rollout.progress.tallies.get(gate.metric, Tally())


def _next_at(rollout: Rollout, gate: Gate) -> float:
    started_at = rollout.progress.phase_started_at
    assert started_at is not None
    return _tally(rollout, gate).next_at(gate, phase_started_at=started_at)


def _due(rollout: Rollout, now: float) -> tuple[Gate, ...]:
    return tuple(gate for gate in rollout.phase.gates if _next_at(rollout, gate) <= now)


def _wait_for_a_person(rollout: Rollout, facts: Facts) -> Action:
    progress = rollout.progress
    if progress.paused_for != "approval":
        return Wait(LOOK_S)
    if facts.approval == "none":
        return AskApproval()
    if facts.approval == "denied":
        reason = f"{facts.approved_by or 'A person'} did not approve the switch."
        return go_back(rollout, facts.now, reason, "aborted")
    if facts.approval == "granted":
        by = {"approved_by": facts.approved_by or "a person", "is_switch_approved": True}
        return enter(rollout, facts, len(rollout.phases) - 1, by)
    return Wait(LOOK_S)


def _go_on(rollout: Rollout, facts: Facts) -> Action:
    progress, phase = rollout.progress, rollout.phase
    assert progress.phase_started_at is not None
    is_last = progress.phase == len(rollout.phases) - 1
    if is_last and progress.is_promoted_early:
        return _baked(rollout)
    ends_at = None if phase.hold_s is None else progress.phase_started_at + phase.hold_s
    are_passed = all(_tally(rollout, g).verdict(g) == "successful" for g in phase.gates)
    if are_passed and ends_at is None:
        return pause(rollout, facts, "hold", "The step waits to be resumed.")
    if are_passed and ends_at is not None and facts.now >= ends_at:
        if is_last:
            return _baked(rollout)
        return enter(rollout, facts, progress.phase + 1, {})
    moments = [_next_at(rollout, gate) for gate in phase.gates]
    return Wait(_until(facts.now, [*moments, *([] if ends_at is None else [ends_at])]))


def _baked(rollout: Rollout) -> Turn:
    note = Note("phase", "every gate passed; the old version is let go")
    return Turn(rollout.state, {"is_baked": True}, (note,))


def _finish(rollout: Rollout, serving: ServingState) -> Action:
    if serving.green is not None and serving.green == rollout.from_version:
        return Unload(serving.generation)
    note = Note("state", f"promoted: version {rollout.version} answers and is @{rollout.alias}")
    return Tell(Turn("promoted", {"outcome": None, "reason": None}, (note,)))


def _until(now: float, moments: Sequence[float]) -> float:
    soonest = min((moment for moment in moments if moment > now), default=now + LOOK_S)
    return min(max(soonest - now, SHORTEST_S), LOOK_S)
