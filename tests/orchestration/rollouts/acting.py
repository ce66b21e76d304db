"""What tests of roll-outs do in the small world, and look for at the end."""

import itertools
from collections.abc import Callable
from typing import Any

from tests.orchestration.rollouts.small_world import ALIAS, MODEL, OLD, Bench

QUICK: dict[str, Any] = {"bake_s": 60.0}
CANARY: dict[str, Any] = {
    "strategy": "canary",
    "steps": [{"percent": 10, "pause_s": 60}, {"percent": 50, "pause_s": 60}, {"percent": 100}],
    "bake_s": 60.0,
}


SHADOW: dict[str, Any] = {"strategy": "shadow", "shadow_s": 60.0, "bake_s": 60.0}
ALL_AT_ONCE: dict[str, Any] = {"strategy": "all_at_once", "bake_s": 60.0}


def assert_agreement(bench: Bench) -> None:
    """The old version answers alone and has the alias, and the history ends there, unbroken."""
    found = bench.world.read()
    assert (found["blue"], found["green"], found["alias"]) == (OLD, None, OLD)
    assert found["traffic"]["mode"] == "single"
    history = bench.mover.history(MODEL, ALIAS, limit=100)
    moves = [move for move in reversed(history.moves) if move.state in ("applied", "observed")]
    assert history.current_version == OLD
    assert not any(move.state == "intended" for move in history.moves)
    assert all(a.to_version == b.from_version for a, b in itertools.pairwise(moves))
    effects = [effect for effect in bench.effects() if effect.startswith("alias")]
    assert [f"alias {move.to_version}" for move in moves[1:]] == effects  # the first was found


def assert_back(bench: Bench, rollout_id: str) -> None:
    """Pointer, alias and history are at the old version; both were told."""
    assert_agreement(bench)
    inbox = bench.mailbox.inbox("infrastructure-specialist")
    (message,) = inbox.messages
    assert message.priority == "urgent"
    assert message.metadata["rollout_id"] == rollout_id


def at(bench: Bench, moment: str, act: Callable[[], None]) -> None:
    """Act once, as soon as the roll-out waits in the state ``moment``."""
    done: list[bool] = []

    def look() -> None:
        (rollout,) = [bench.journal.latest(MODEL)]
        assert rollout is not None
        if not done and rollout.state == moment:
            done.append(True)
            act()

    bench.on_wait = look


def decide(bench: Bench, rollout_id: str, choice: Any) -> None:
    bench.desk.decide(rollout_id, choice, actor="ml-orchestrator", reason="why", key=None)


def approve_all(bench: Bench) -> bool:
    """Approve all that waits for a person; say whether anything did."""
    pending = bench.approvals.pending()
    for approval in pending:
        bench.approvals.decide(approval.id, "approved", decided_by="ada", via="terminal")
    return bool(pending)
