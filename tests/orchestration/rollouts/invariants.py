"""What must hold once a roll-out is over, however often its worker was killed."""

import itertools

from tests.orchestration.rollouts.small_world import ACTOR, ALIAS, MODEL, NEW, Bench

from ml_orchestrator.serving.rollout.models import FINAL


def violations(bench: Bench, rollout_id: str, expected_effects: list[str]) -> list[str]:
    """Return what is wrong; nothing is fine.

    Args:
        bench: The world after the end.
        rollout_id: The roll-out.
        expected_effects: What an undisturbed worker does to the world, in order.
    """
    rollout, found = bench.journal.get(rollout_id), bench.world.read()
    history = bench.mover.history(MODEL, ALIAS, limit=100)
    is_first = rollout.from_version is None
    kept = NEW if rollout.state == "promoted" else rollout.from_version
    events = bench.journal.events(rollout_id)
    states = [event.detail for event in events if event.kind == "state"]
    pointers = [event for event in events if event.kind == "pointer"]
    aliases = [event for event in events if event.kind == "alias"]
    # A version that was there before enters the history as found.
    moves = [m for m in reversed(history.moves) if m.state != "abandoned"][1 - is_first :]
    effects = found["effects"]
    n_pauses = sum(state.startswith("paused in") for state in states)
    told = [
        [message.metadata["state"] for message in bench.mailbox.inbox(agent).messages]
        for agent in ("infrastructure-specialist", ACTOR)
    ]
    wanted = {
        "it is over": rollout.is_over,
        "the pointer is where it ended": found["blue"] == kept,
        "the alias is where it ended": found["alias"] == kept,
        "the version that lost is gone": found["green"] is None,
        "one version answers": found["traffic"]["mode"] == "single",
        "no effect was repeated or left out": effects == expected_effects,
        "the history of the alias is a chain": all(
            before.to_version == after.from_version
            for before, after in itertools.pairwise(moves)
        ),
        "the history of the alias ends where it points": history.current_version == kept,
        "alias moves are on record once each": len(moves) == len(aliases)
        == sum(effect.startswith("alias") for effect in effects),
        "it began once": sum(state.startswith("pending") for state in states) == 1,
        "it ended once": sum(_is_ending(state) for state in states) == 1,
        "its end and each pause were told once": all(
            sorted(each) == sorted([rollout.state] + ["paused"] * n_pauses) for each in told
        ),
        "switches are on record": len(pointers) >= sum(e.startswith("swap") for e in effects),
        "no intent is left open": all(move.state != "intended" for move in history.moves),
    }  # fmt: skip
    return [name for name, holds in wanted.items() if not holds]


def _is_ending(state: str) -> bool:
    return state.split(":", maxsplit=1)[0] in FINAL
