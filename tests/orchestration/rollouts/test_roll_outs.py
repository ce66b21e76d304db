"""Roll-outs carried out in a small world whose clock moves only when somebody waits."""

import random
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.rollouts.acting import (
    ALL_AT_ONCE,
    CANARY,
    QUICK,
    SHADOW,
    assert_agreement,
    assert_back,
    at,
    decide,
)
from tests.orchestration.rollouts.small_world import (
    ACTOR,
    ALIAS,
    MODEL,
    NEW,
    OLD,
    Bench,
    World,
    open_bench,
)

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.serving.rollout.losses import Losses
from ml_orchestrator.serving.rollout.outcomes import RequestOutcome
from ml_orchestrator.storage.engine import timestamp


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


@pytest.mark.parametrize("spec", [SHADOW, ALL_AT_ONCE], ids=lambda spec: spec["strategy"])
def test_a_good_version_is_promoted_as_a_shadow_and_all_at_once(bench: Bench, spec: Any) -> None:
    ended = bench.run(bench.begin(**spec))

    shadow = ["shadow 1"] if spec is SHADOW else []
    assert ended.state == "promoted", ended.progress.reason
    assert bench.effects() == ["load 2", *shadow, "swap to 2", "alias 2", "unload 1"]
    history = bench.mover.history(MODEL, ALIAS, limit=1)
    assert (history.current_version, bench.world.read()["blue"]) == (NEW, NEW)


@pytest.mark.parametrize(
    ("like", "gate"),
    [
        ({"error_rate": 0.2}, "error_rate"),
        ({"ms": 50.0}, "latency_p95_ratio"),
        ({"shift": 1}, "prediction_drift"),
    ],
)
@pytest.mark.parametrize(
    "spec",
    [QUICK, CANARY, SHADOW, ALL_AT_ONCE],
    ids=lambda spec: spec.get("strategy", "blue_green"),
)
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


@pytest.mark.parametrize("state", ["green_ready", "baking"])
def test_a_version_whose_process_ended_is_rolled_back_by_the_health_gate(
    bench: Bench, state: str
) -> None:
    health = {"metric": "health", "succeeds_at_most": 0, "min_requests": 0, "interval_s": 2}
    rollout_id = bench.begin(gates=[health], bake_s=60.0)

    def die() -> None:
        with bench.world.change() as content:
            content["versions"] = {str(NEW): {"fault": "The model's process ended."}}

    at(bench, state, die)
    ended = bench.run(rollout_id)

    assert (ended.state, ended.progress.reason) == (
        "rolled_back", "Gate health failed: The model's process ended.",
    )  # fmt: skip
    assert ("swap to 2" in bench.effects()) == (state == "baking")
    assert_back(bench, rollout_id)


def test_a_version_that_dies_at_load_changes_nothing(tmp_path: Path) -> None:
    bench = open_bench(tmp_path, dies_at_load=[NEW])
    rollout_id = bench.begin(**QUICK)

    ended = bench.run(rollout_id)

    assert (ended.state, bench.effects()) == ("rolled_back", [])
    assert_back(bench, rollout_id)
    bench.close()


def test_who_is_concerned_hears_of_each_pause_why_and_what_to_do(tmp_path: Path) -> None:
    bench = open_bench(tmp_path, versions={str(NEW): {"n": 3}})
    rollout_id = bench.begin(pause_limit_s=90.0, **QUICK)
    at(bench, "paused", lambda: decide(bench, rollout_id, "resume"))

    bench.run(rollout_id)

    for agent in ("infrastructure-specialist", "ml-orchestrator", ACTOR):
        ending, *pauses = bench.mailbox.inbox(agent).messages
        assert ending.metadata["state"] == "rolled_back"
        assert [m.priority for m in pauses] == ["high", "high"]
        for message in pauses:
            assert "paused in baking" in message.content
            assert "Gate error_rate cannot decide: no data: 3 requests" in message.content
            assert "deployment_decide: resume measures anew" in message.content
            assert "goes back after 90 s" in message.content
    bench.close()


def test_a_quiet_server_that_gets_traffic_again_is_measured_anew_when_resumed(
    tmp_path: Path,
) -> None:
    bench = open_bench(tmp_path, versions={str(NEW): {"n": 3}})
    rollout_id = bench.begin(**QUICK)

    def wake_up() -> None:
        with bench.world.change() as content:
            content["versions"] = {}
        decide(bench, rollout_id, "resume")

    at(bench, "paused", wake_up)

    assert bench.run(rollout_id).state == "promoted"
    bench.close()


def test_who_cannot_be_told_does_not_keep_a_roll_out_from_its_end(tmp_path: Path) -> None:
    class Full:
        def tell(self, rollout: Any, ending: str) -> None:
            raise ConflictError("the mailbox is full")

    World(tmp_path / "world.json").make()
    bench = Bench(tmp_path, wrap=lambda name, x: Full() if name == "teller" else x)
    rollout_id = bench.begin(**QUICK)

    assert bench.run(rollout_id).state == "promoted"
    assert "the mailbox is full" in bench.journal.events(rollout_id)[-1].detail
    bench.close()


def test_labels_of_an_earlier_try_do_not_count(bench: Bench) -> None:
    outcomes = [
        RequestOutcome(request_id=f"r{n}", version=NEW, prediction="yes", truth="no")
        for n in range(3)
    ]
    bench.desk.report(MODEL, outcomes)
    losses = partial(bench.outcomes.losses, MODEL, old=NEW, new=NEW)
    later = timestamp(datetime(2100, 1, 1, tzinfo=UTC))
    assert losses(pairing="order", since=later) == Losses([], [])
    assert losses(pairing="before", since=later) == Losses([1.0] * 3, [])


def test_labels_that_show_a_worse_version_roll_it_back(bench: Bench) -> None:
    rng = random.Random(0)
    gate = {"metric": "task_loss", "succeeds_at_most": 0.05, "fails_above": 0.05}
    rollout_id = bench.begin(gates=[gate], bake_s=30)
    for version, p_wrong in ((OLD, 0.05), (NEW, 0.4)):
        bench.outcomes.report(MODEL, [
            RequestOutcome(request_id=f"r{n}", version=version, prediction="yes",
                           truth="no" if rng.random() < p_wrong else "yes")
            for n in range(400)
        ])  # fmt: skip

    ended = bench.run(rollout_id)

    assert ended.state == "rolled_back"
    assert str(ended.progress.reason).startswith("Gate task_loss failed: loss +0.3")
    assert bench.effects() == ["load 2", "swap to 2", "alias 2", "swap to 1", "alias 1", "unload 2"]
    assert_back(bench, rollout_id)


def test_a_failed_gate_in_a_pause_goes_back_too(bench: Bench) -> None:
    rollout_id = bench.begin(**QUICK)

    def pause_then_break() -> None:
        decide(bench, rollout_id, "pause")
        with bench.world.change() as content:
            content["versions"] = {str(NEW): {"error_rate": 0.5}}

    at(bench, "baking", pause_then_break)
    ended = bench.run(rollout_id)

    assert ended.state == "rolled_back"
    assert "Gate error_rate failed" in str(ended.progress.reason)
    assert any(s.startswith("paused in baking") for s in bench.states(rollout_id))
    assert_agreement(bench)
