"""Workers of roll-outs that die; ``soak_rollouts.py --rounds N`` is the long form."""

import os
import random
import signal
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.orchestration.rollouts.invariants import violations
from tests.orchestration.rollouts.small_world import Bench, open_bench
from tests.orchestration.rollouts.soak_rollouts import (
    SCENARIOS,
    Fuse,
    burning,
    carry_out,
    play,
)

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.serving.rollout.actions import Rollout, Turn
from ml_orchestrator.serving.rollout.models import RolloutState


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_killed_anywhere_it_ends_as_if_nothing_had_happened(tmp_path: Path, name: str) -> None:
    rng = random.Random(f"killed {name}")
    died: list[str] = []
    for number in range(3):
        states, wrong = play(tmp_path / str(number), name, rng)
        died += states
        assert wrong == [], (number, states)
    assert died or name == "dies_at_load"


# Every state that there is, and a roll-out that comes to it; the first one needs no way there.
WAYS = {
    "verifying": "blue_green", "loading": "dies_at_load", "green_ready": "blue_green",
    "canary": "canary", "shadow": "drifts_as_a_shadow", "baking": "first_breaks",
    "paused": "quiet_and_unattended", "rolling_back": "slow_in_bake",
    "promoted": "all_at_once", "rolled_back": "breaks_in_canary",
}  # fmt: skip


class Struck:
    """A journal whose worker dies right before or after it records that it is in a state."""

    def __init__(self, inner: Any, state: str, *, is_before: bool) -> None:
        self._inner = inner
        self._state = state
        self._is_before = is_before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def record(self, rollout: Rollout, turn: Turn) -> Rollout:
        is_here = turn.state == self._state != rollout.state
        if is_here and self._is_before:
            os.kill(os.getpid(), signal.SIGKILL)
        recorded: Rollout = self._inner.record(rollout, turn)
        if is_here:
            os.kill(os.getpid(), signal.SIGKILL)
        return recorded


@pytest.mark.parametrize("state", WAYS)
def test_killed_at_the_door_of_each_state_it_goes_on_from_there(tmp_path: Path, state: str) -> None:
    assert {"pending", "aborted", *WAYS} == set(get_args(RolloutState))
    world, spec, ending, effects = SCENARIOS[WAYS[state]]
    for is_before in (True, False):
        home = tmp_path / f"{is_before}"
        bench = open_bench(home, **world)
        rollout_id = bench.begin(**spec)
        bench.close()

        def strike(name: str, part: Any, is_before: bool = is_before) -> Any:
            return Struck(part, state, is_before=is_before) if name == "journal" else part

        died = carry_out(home, rollout_id, strike)
        assert (died == state) == (not is_before)
        assert carry_out(home, rollout_id) is None

        bench = Bench(home)
        assert violations(bench, rollout_id, effects) == []
        assert bench.journal.get(rollout_id).state == ending
        bench.close()


def test_the_checker_sees_what_a_repeated_effect_or_a_lost_alias_does(tmp_path: Path) -> None:
    bench = open_bench(tmp_path)
    rollout_id = bench.begin(bake_s=20.0)
    bench.run(rollout_id)
    effects = SCENARIOS["blue_green"][3]
    assert violations(bench, rollout_id, effects) == []

    with bench.world.change("swap to 2") as content:
        content["alias"] = 1
    assert violations(bench, rollout_id, effects) == [
        "the alias is where it ended",
        "no effect was repeated or left out",
        "the history of the alias ends where it points",
        "alias moves are on record once each",
        "switches are on record",
    ]
    bench.close()


def test_a_worker_that_was_replaced_can_write_no_more(tmp_path: Path) -> None:
    bench = open_bench(tmp_path)
    replaced = bench.journal.take(bench.begin())
    bench.journal.take(replaced.id)

    with pytest.raises(ConflictError, match="Another worker has taken over"):
        bench.journal.record(replaced, Turn("verifying"))
    assert bench.journal.get(replaced.id).state == "pending"
    bench.close()


def test_killed_between_the_move_of_the_alias_and_its_record_it_is_recorded_once(
    tmp_path: Path,
) -> None:
    with_bench = open_bench(tmp_path)
    rollout_id = with_bench.begin(bake_s=20.0)
    with_bench.close()
    died, n = "", 0
    while died != "baking":  # until it dies right after a change in the bake: the alias
        n += 1
        state = carry_out(tmp_path, rollout_id, burning(Fuse(1, is_before=False)))
        assert state is not None
        died = state
        assert n < 40
    assert carry_out(tmp_path, rollout_id) is None

    bench = Bench(tmp_path)
    assert violations(bench, rollout_id, SCENARIOS["blue_green"][3]) == []
    bench.close()
