"""Roll-outs carried out in a small world whose clock moves only when somebody waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.rollouts.small_world import ALIAS, MODEL, NEW, OLD, Bench, open_bench

QUICK = {"bake_s": 60.0}
CANARY = {
    "strategy": "canary",
    "steps": [{"percent": 10, "pause_s": 60}, {"percent": 50, "pause_s": 60}, {"percent": 100}],
    "bake_s": 60.0,
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    opened = open_bench(tmp_path)
    yield opened
    opened.close()


def assert_back(bench: Bench, rollout_id: str) -> None:
    """The old version answers alone and has the alias; both were told."""
    found = bench.world.read()
    assert (found["blue"], found["green"], found["alias"]) == (OLD, None, OLD)
    assert found["traffic"]["mode"] == "single"
    inbox = bench.mailbox.inbox("infrastructure-specialist")
    (message,) = inbox.messages
    assert message.priority == "urgent"
    assert message.metadata["rollout_id"] == rollout_id


def test_blue_green_switches_pointer_then_alias_and_lets_the_old_version_go(bench: Bench) -> None:
    rollout_id = bench.begin(**QUICK)

    ended = bench.run(rollout_id)

    assert ended.state == "promoted", ended.progress.reason
    assert bench.effects() == ["load 2", "swap to 2", "alias 2", "unload 1"]
    found = bench.world.read()
    assert (found["blue"], found["green"], found["alias"]) == (NEW, None, NEW)
    (message,) = bench.mailbox.inbox("ml-orchestrator").messages
    assert message.priority == "medium"
    assert bench.mover.history(MODEL, ALIAS, limit=1).moves[0].to_version == NEW


def test_a_canary_takes_its_steps_in_order(bench: Bench) -> None:
    ended = bench.run(bench.begin(**CANARY))

    assert ended.state == "promoted", ended.progress.reason
    assert bench.effects() == [
        "load 2", "canary 0.1", "canary 0.5", "swap to 2", "alias 2", "unload 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("like", "gate"),
    [
        ({"error_rate": 0.2}, "error_rate"),
        ({"ms": 50.0}, "latency_p95_ratio"),
        ({"shift": 1}, "prediction_drift"),
    ],
)
@pytest.mark.parametrize("spec", [QUICK, CANARY], ids=["blue_green", "canary"])
def test_a_bad_version_is_rolled_back_by_itself(
    tmp_path: Path, spec: Any, like: Any, gate: str
) -> None:
    bench = open_bench(tmp_path, versions={str(NEW): like})
    rollout_id = bench.begin(**spec)

    ended = bench.run(rollout_id)

    assert ended.state == "rolled_back"
    assert str(ended.progress.reason).startswith(f"Gate {gate} failed")
    assert ended.progress.rollback_ms is not None
    assert_back(bench, rollout_id)
    bench.close()


def test_a_version_that_dies_at_load_changes_nothing(tmp_path: Path) -> None:
    bench = open_bench(tmp_path, dies_at_load=[NEW])
    rollout_id = bench.begin(**QUICK)

    ended = bench.run(rollout_id)

    assert (ended.state, bench.effects()) == ("rolled_back", [])
    assert_back(bench, rollout_id)
    bench.close()
