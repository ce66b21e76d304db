"""Why a step was skipped is told in words, and decided by none of them."""

from types import SimpleNamespace

import pytest
from tests.orchestration.test_pipeline_executing import plan_of

from ml_orchestrator.orchestration.pipelines import settling
from ml_orchestrator.orchestration.pipelines.settling import Settled, scope_of, settled_without
from ml_orchestrator.orchestration.pipelines.units import StoredPlan


def test_a_condition_is_no_failure_whatever_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        settling, "parse_condition", lambda _: SimpleNamespace(holds=lambda _: False)
    )
    steps = {
        "one": {"uses": "note", "with": {}},
        "two": {"uses": "note", "with": {}, "needs": ["one"], "when": "it did not succeed"},
    }
    plan = StoredPlan.of(plan_of(steps))

    def settled(one: Settled) -> Settled | None:
        so_far = {"one": one}
        return settled_without(plan, "two", so_far, scope_of(plan, so_far, "run-1"))

    because = "its condition does not hold: it did not succeed"
    lost = "one did not succeed"
    assert settled(Settled("succeeded", {})) == Settled("skipped", because=because)
    assert settled(Settled("failed", error="no")) == Settled("skipped", because=lost, error=lost)
