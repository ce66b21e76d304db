"""Turns of a roll-out: into a phase, into a pause, back, and what somebody decided. Pure."""

from collections.abc import Mapping

from ml_orchestrator.serving.rollout.actions import Decision, Facts, MoveAlias, Note, Rollout, Turn
from ml_orchestrator.serving.rollout.models import Outcome, PausedFor

__all__ = ["enter", "forward", "go_back", "must_switch_first", "pause", "take_in"]

_WATCHED = ("green_ready", "canary", "shadow", "baking")
_UNPAUSED = {"paused_in": None, "paused_for": None, "paused_at": None, "reason": None}


def go_back(
    rollout: Rollout, now: float, reason: str, outcome: Outcome = "rolled_back", *notes: Note
) -> Turn:
    """Return the decision to let the old version answer again."""
    changes = {"decided_at": now, "outcome": outcome, "reason": reason, "unreachable_since": None}
    return Turn("rolling_back", changes, (*notes, Note("state", f"rolling back: {reason}")))


def forward(rollout: Rollout) -> MoveAlias:
    """Return the move of the alias to the new version."""
    new = rollout.version
    note = Note("alias", f"@{rollout.alias} points to version {new}")
    then = Turn(rollout.state, {"has_moved_alias": True, "aliased": new}, (note,))
    return MoveAlias("forward", then)


def must_switch_first(rollout: Rollout, decision: Decision) -> bool:
    """Whether a pause would leave pointer and alias apart."""
    is_switching = rollout.state == "baking" and rollout.progress.phase_started_at is None
    return decision.choice == "pause" and is_switching


def take_in(rollout: Rollout, facts: Facts, decision: Decision) -> Turn:
    """Act on what somebody decided; a choice that no longer makes sense changes nothing."""
    seen = {"decisions_seen": decision.seq}
    if decision.choice in ("abort", "rollback"):
        outcome: Outcome = "aborted" if decision.choice == "abort" else "rolled_back"
        back = go_back(rollout, facts.now, f"{decision.actor}: {decision.reason}", outcome)
        return Turn(back.state, {**back.changes, **seen}, back.notes)
    if decision.choice == "pause" and rollout.state != "paused":
        held = pause(rollout, facts, "decision", f"{decision.actor}: {decision.reason}")
        return Turn(held.state, {**held.changes, **seen}, held.notes)
    if decision.choice == "resume" and rollout.state == "paused":
        return _resume(rollout, facts, seen)
    if decision.choice == "promote" and rollout.state in (*_WATCHED, "paused"):
        return _promote(rollout, facts, decision, seen)
    return Turn(rollout.state, seen)


def _resume(rollout: Rollout, facts: Facts, seen: dict[str, int]) -> Turn:
    """Go on; what an undecided gate saw is forgotten and the phase is measured anew."""
    progress = rollout.progress
    if progress.paused_for == "approval":
        return Turn("paused", seen)  # only a person's approval ends it
    if progress.paused_for == "hold":
        return enter(rollout, facts, progress.phase + 1, seen)
    anew = {"tallies": {}, "phase_started_at": facts.now} if progress.paused_for == "gate" else {}
    state = progress.paused_in or rollout.phase.kind  # recorded whenever it is paused
    return Turn(state, {**_UNPAUSED, **anew, **seen}, (Note("state", f"resumed: {state}"),))


def _promote(rollout: Rollout, facts: Facts, decision: Decision, seen: dict[str, int]) -> Turn:
    """Leave out what is left before the switch, or of the bake."""
    last = len(rollout.phases) - 1
    person = decision.approved_by or rollout.progress.approved_by
    early = {**seen, "approved_by": person}
    if rollout.progress.paused_in in ("pending", "verifying", "loading"):
        return Turn("paused", seen)
    if rollout.progress.phase < last:
        return enter(rollout, facts, last, early)
    early |= {**_UNPAUSED, "is_promoted_early": True}
    return Turn("baking", early, (Note("state", "the rest of the bake is left out"),))


def enter(rollout: Rollout, facts: Facts, index: int, more: Mapping[str, object]) -> Turn:
    """Begin a phase; the switch may need a person first."""
    phase = rollout.phases[index]
    is_approved = more.get("is_switch_approved") or rollout.progress.is_switch_approved
    needs_person = rollout.spec.approval == "before_promotion" and not is_approved
    if phase.kind == "baking" and needs_person:
        held = pause(rollout, facts, "approval", "A person must approve the switch.")
        return Turn(held.state, {**held.changes, **more}, held.notes)
    fresh: dict[str, object] = {
        **_UNPAUSED,
        "phase": index,
        "phase_started_at": None,
        "tallies": {},
    }
    return Turn(phase.kind, {**fresh, **more}, (Note("state", phase.describe()),))


def pause(rollout: Rollout, facts: Facts, paused_for: PausedFor, reason: str) -> Turn:
    """Return the turn that keeps everything as it is until somebody decides."""
    # One that was resumed may pause at once for another reason: it is where it was.
    was_in = rollout.progress.paused_in if rollout.state == "paused" else rollout.state
    changes = {
        "paused_in": was_in,
        "paused_for": paused_for,
        "paused_at": facts.now,
        "n_pauses": rollout.progress.n_pauses + 1,
        "reason": reason,
    }
    return Turn("paused", changes, (Note("state", f"paused in {was_in}: {reason}"),))
