"""Roll-outs that cannot start, and decisions that come too late or twice."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.rollouts.acting import QUICK, at, decide
from tests.orchestration.rollouts.small_world import (
    ALIAS,
    MODEL,
    NEW,
    OLD,
    Bench,
    open_bench,
)

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.orchestration.rollouts.desk import read_spec


def test_a_plan_names_what_stands_in_its_way(bench: Bench) -> None:
    plan = partial(bench.desk.plan, MODEL, alias=ALIAS, spec={}, actor="ml-orchestrator")
    with pytest.raises(ConflictError, match="points to version 1"):
        plan(NEW, expected_version=7)
    assert plan(OLD, expected_version=OLD).obstacles == (
        "changes_something: the alias already points to version 1",
    )
    bench.begin()
    second = plan(NEW, expected_version=OLD)
    assert "is pending" in second.obstacles[0]
    with pytest.raises(ConflictError, match="is not rolled out to version 2"):
        bench.desk.start(second, actor="ml-orchestrator", reason="why", key=None)


def test_a_protected_alias_is_not_switched_without_a_gate_or_a_person(tmp_path: Path) -> None:
    bench = open_bench(tmp_path)

    def obstacles(expected_version: int | None = OLD, **spec: Any) -> tuple[str, ...]:
        return bench.desk.plan(
            MODEL, NEW, alias=ALIAS, expected_version=expected_version, spec=spec, actor="ada"
        ).obstacles

    assert obstacles(gates=[]) == ()  # this alias is not protected yet
    (tmp_path / "policies.toml").write_text('[alias.stable]\ngates = ["is_verified"]\n')
    (obstacle,) = obstacles(gates=[])
    assert obstacle.startswith("gates: none would be watched and no person would approve")
    assert obstacles() == obstacles(gates=[{"metric": "health"}]) == ()
    assert obstacles(gates=[], approval="before_promotion") == ()

    plan = partial(bench.desk.plan, MODEL, NEW, alias=ALIAS, expected_version=OLD, actor="ada")
    with pytest.raises(ConflictError, match="@stable is protected by its policy; name a gate"):
        bench.desk.start(plan(spec={"gates": []}), actor="ada", reason="why", key=None)
    with bench.world.change() as content:
        content["alias"] = None
    assert obstacles(None, gates=[]) == ()  # nothing answers that could be worse off
    bench.close()


def test_a_specification_with_faults_is_refused_with_all_of_them() -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_spec({"bake": 3, "gates": [{"metric": "mood"}]})
    message = str(caught.value)
    assert "bake: Extra inputs" in message
    assert "gates.0.metric" in message
    assert "Fields: strategy, steps" in message


def test_what_is_over_cannot_be_decided(bench: Bench) -> None:
    rollout_id = bench.begin(**QUICK)
    bench.run(rollout_id)
    with pytest.raises(ConflictError, match="is promoted; nothing is left to decide"):
        decide(bench, rollout_id, "abort")


def test_a_decision_sent_again_with_its_key_is_no_second_one(tmp_path: Path) -> None:
    bench = open_bench(tmp_path, versions={str(NEW): {"n": 3}})
    rollout_id = bench.begin(**QUICK)
    resume = partial(
        bench.desk.decide, rollout_id, "resume", actor="ml-orchestrator", reason="why", key="k"
    )

    def twice() -> None:
        resume()
        bench.on_wait = again

    def again() -> None:
        (rollout,) = [bench.journal.latest(MODEL)]
        if rollout is not None and rollout.state != "paused":
            resume()
            bench.desk.decide(rollout_id, "abort", actor="ada", reason="enough", key=None)
            bench.on_wait = lambda: None

    at(bench, "paused", twice)
    bench.run(rollout_id)

    decisions = [e for e in bench.journal.events(rollout_id) if e.detail == "resume: why"]
    assert len(decisions) == 1
    bench.close()
