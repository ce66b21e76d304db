"""The way back: pointer first, then the alias, then the word to those concerned. Pure."""

from ml_orchestrator.program import program
from ml_orchestrator.serving.control import ServingState
from ml_orchestrator.serving.rollout.actions import (
    Action,
    Facts,
    Load,
    MoveAlias,
    Note,
    Retire,
    Rollout,
    SetTraffic,
    Swap,
    Tell,
    Turn,
    Unload,
    Wait,
)
from ml_orchestrator.serving.rollout.phases import ALONE
from ml_orchestrator.serving.rollout.turns import forward

__all__ = ["plan_way_back", "sentence", "what_is_left"]

RETRY_S = 0.5


def plan_way_back(rollout: Rollout, facts: Facts) -> Action:
    """Return the next thing to do in ``rolling_back``.

    A server that does not answer is waited for up to ``unreachable_limit_s``; then the alias
    goes back without it, so that a new server comes up with the old version. The roll-out is not
    over before the server has answered, or ``pause_limit_s`` has passed. A first version has no
    other to bring back: it stops answering and loses its alias.
    """
    serving, is_first = facts.serving, rollout.from_version is None
    if serving is None:
        return (
            _first_without_server(rollout, facts) if is_first else _without_server(rollout, facts)
        )
    back = _first_back if is_first else _pointer_back
    if wanted := back(rollout, facts, serving) or _alias_back(rollout, facts):
        return wanted
    if serving.green == rollout.version:
        return Unload(serving.generation)
    return _end(rollout)


def _without_server(rollout: Rollout, facts: Facts) -> Action:
    progress, spec = rollout.progress, rollout.spec
    if progress.unreachable_since is None:
        return Turn("rolling_back", {"unreachable_since": facts.now})
    silent_s = facts.now - progress.unreachable_since
    if silent_s <= spec.unreachable_limit_s:
        return Wait(RETRY_S)
    if wanted := _alias_back(rollout, facts):
        return wanted
    if silent_s <= spec.pause_limit_s:
        return Wait(RETRY_S)
    if progress.pointer_refusal is None:
        refusal = f"The model server gave no answer for {silent_s:.0f} s."
        return Turn("rolling_back", {"pointer_refusal": refusal}, (Note("pointer", refusal),))
    return _end(rollout)


def _first_without_server(rollout: Rollout, facts: Facts) -> Action:
    """Wait for a server that was there before, within reason; it would go on answering."""
    progress, limit_s = rollout.progress, rollout.spec.unreachable_limit_s
    is_switched = progress.pointer == rollout.version
    was_there = is_switched or progress.phase > 0 or progress.phase_started_at is not None
    if was_there and progress.pointer_refusal is None:
        if progress.unreachable_since is None:
            return Turn("rolling_back", {"unreachable_since": facts.now})
        if facts.now - progress.unreachable_since <= limit_s:
            return Wait(RETRY_S)
    if is_switched and progress.pointer_refusal is None:
        refusal = f"The model server gave no answer for {limit_s:g} s."
        return Turn("rolling_back", {"pointer_refusal": refusal}, (Note("pointer", refusal),))
    return _alias_back(rollout, facts) or _end(rollout)


def _first_back(rollout: Rollout, facts: Facts, serving: ServingState) -> Action | None:
    """Let nothing answer; what somebody else let answer stays."""
    progress, new = rollout.progress, rollout.version
    if progress.pointer_refusal is not None:
        return None
    if serving.blue == new and progress.pointer == new:
        return Retire(serving.generation)
    if serving.blue == progress.pointer:
        return None
    changes: dict[str, object] = {"pointer": serving.blue}
    if progress.pointer == new:
        changes["rollback_ms"] = _since_ms(rollout, facts)
    what = "nothing answers" if serving.blue is None else f"version {serving.blue} answers"
    note = Note("pointer", f"{what}, generation {serving.generation}")
    return Turn("rolling_back", changes, (note,))


def _since_ms(rollout: Rollout, facts: Facts) -> float:
    return round((facts.now - (rollout.progress.decided_at or facts.now)) * 1e3, 3)


def _pointer_back(rollout: Rollout, facts: Facts, serving: ServingState) -> Action | None:
    progress, old, new = rollout.progress, rollout.from_version, rollout.version
    if progress.pointer is None or old is None or progress.pointer_refusal is not None:
        return None  # nothing was switched by us, or there is nothing to switch to
    if serving.blue == new and progress.pointer != new:
        note = Note("pointer", f"version {new} answers")  # done, not yet recorded
        return Turn("rolling_back", {"pointer": new}, (note,))
    if serving.blue != old or serving.traffic != ALONE:
        return _let_answer(old, serving)
    if progress.rollback_ms is None:
        note = Note("pointer", f"version {old} answers alone, generation {serving.generation}")
        changes = {"pointer": old, "rollback_ms": _since_ms(rollout, facts)}
        return Turn("rolling_back", changes, (note,))
    return None


def _let_answer(old: int, serving: ServingState) -> Action:
    if serving.blue != old and serving.green == old:
        return Swap(serving.generation)
    if serving.traffic != ALONE:
        return SetTraffic(ALONE, serving.generation)
    return Load(old)


def _alias_back(rollout: Rollout, facts: Facts) -> Action | None:
    progress, old, where = rollout.progress, rollout.from_version, facts.alias_version
    if not _is_at_the_switch(rollout) or progress.alias_refusal is not None:
        return None
    if not progress.has_moved_alias:  # perhaps done and not recorded: then this settles it
        return forward(rollout) if where == rollout.version else None
    if progress.aliased != rollout.version:
        return None
    if where in (rollout.version, old):
        stands = "is unset" if old is None else f"points to version {old}"
        note = Note("alias", f"@{rollout.alias} {stands}")
        then = Turn("rolling_back", {"aliased": old}, (note,))
        return MoveAlias("back", then)
    note = Note("alias", f"@{rollout.alias} was moved by somebody else to {where}")
    return Turn("rolling_back", {"aliased": where}, (note,))


def _is_at_the_switch(rollout: Rollout) -> bool:
    """Whether the alias at the new version can be our doing, recorded or not."""
    return rollout.progress.phase == len(rollout.phases) - 1


def _end(rollout: Rollout) -> Tell:
    outcome = rollout.progress.outcome or "rolled_back"
    left = "" if rollout.from_version is not None else f" {what_is_left(rollout)}"
    note = Note("state", f"{outcome}: {sentence(rollout.progress.reason)}{left}")
    return Tell(Turn(outcome, {}, (note,)))


def sentence(reason: str | None) -> str:
    """Return a reason in somebody's words with an end, so that more can follow."""
    text = str(reason).rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def what_is_left(rollout: Rollout) -> str:
    """Return who answers after the way back, in a sentence."""
    progress, old = rollout.progress, rollout.from_version
    stop = f"`{program()} serve --model {rollout.model} --stop`"
    if old is None and progress.pointer_refusal is not None:
        return (
            f"There was no version before it to bring back, and its server may go on answering "
            f"until {stop}: {progress.pointer_refusal}"
        )
    if old is None and progress.pointer is not None:
        return f"Version {progress.pointer} answers."
    if old is None:
        return (
            "There was no version before it to bring back, so nothing answers. A server that runs "
            f"waits for the next version; {stop} ends it."
        )
    if progress.pointer_refusal is not None:
        return f"The old version could NOT be brought back: {progress.pointer_refusal}"
    return f"Version {old} answers."
