"""Workers of roll-outs that die; ``soak_rollouts.py --rounds N`` is the long form."""

import random
from pathlib import Path

import pytest
from tests.orchestration.rollouts.invariants import violations
from tests.orchestration.rollouts.small_world import Bench, open_bench
from tests.orchestration.rollouts.soak_rollouts import SCENARIOS, Fuse, carry_out, play

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.serving.rollout.actions import Turn


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_killed_anywhere_it_ends_as_if_nothing_had_happened(tmp_path: Path, name: str) -> None:
    rng = random.Random(f"killed {name}")
    died: list[str] = []
    for number in range(3):
        states, wrong = play(tmp_path / str(number), name, rng)
        died += states
        assert wrong == [], (number, states)
    assert died or name == "dies_at_load"


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
        state = carry_out(tmp_path, rollout_id, Fuse(1, is_before=False))
        assert state is not None
        died = state
        assert n < 40
    assert carry_out(tmp_path, rollout_id, None) is None

    bench = Bench(tmp_path)
    assert violations(bench, rollout_id, SCENARIOS["blue_green"][3]) == []
    bench.close()
