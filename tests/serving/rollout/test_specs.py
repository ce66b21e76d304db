from typing import Any

import pytest

from ml_orchestrator.serving.rollout.models import RolloutSpec
from ml_orchestrator.serving.rollout.phases import phases_of


def canary(*percents: int) -> dict[str, Any]:
    return {"strategy": "canary", "steps": [{"percent": p, "pause_s": 5} for p in percents]}


def kinds(spec: dict[str, Any], *, has_old: bool = True) -> list[tuple[str, float]]:
    phases = phases_of(RolloutSpec.model_validate(spec), has_old=has_old)
    return [(phase.kind, phase.traffic.green_share) for phase in phases]


@pytest.mark.parametrize("percents", [(30, 60, 90), (), (99,)])
def test_steps_that_miss_100_percent_are_refused_at_the_start(percents: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must end at 100 %"):
        RolloutSpec.model_validate(canary(*percents))


@pytest.mark.parametrize("percents", [(50, 20, 100), (20, 20, 100)])
def test_steps_that_do_not_rise_are_refused(percents: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        RolloutSpec.model_validate(canary(*percents))


def test_steps_of_another_strategy_are_refused() -> None:
    with pytest.raises(ValueError, match="belong to strategy canary, not shadow"):
        RolloutSpec.model_validate({**canary(100), "strategy": "shadow"})


def test_two_gates_on_one_metric_are_refused() -> None:
    with pytest.raises(ValueError, match="one gate a metric"):
        RolloutSpec.model_validate({"gates": [{"metric": "health"}, {"metric": "health"}]})


def test_every_strategy_ends_with_the_switch_and_a_bake() -> None:
    assert kinds({}) == [("green_ready", 0), ("baking", 0)]
    assert kinds(canary(5, 25, 100)) == [("canary", 0.05), ("canary", 0.25), ("baking", 0)]
    assert kinds({"strategy": "shadow", "shadow_percent": 50}) == [("shadow", 0.5), ("baking", 0)]
    assert kinds({"strategy": "all_at_once"}) == [("baking", 0)]


def test_before_the_switch_blue_green_watches_only_what_needs_no_traffic() -> None:
    ready, baking = phases_of(RolloutSpec())
    assert [gate.metric for gate in ready.gates] == ["health"]
    assert [gate.metric for gate in baking.gates] == [
        "health", "error_rate", "latency_p95_ratio", "prediction_drift",
    ]  # fmt: skip


def test_without_an_old_version_nothing_is_compared() -> None:
    baking = phases_of(RolloutSpec(), has_old=False)[-1]
    assert [gate.metric for gate in baking.gates] == ["health", "error_rate"]
