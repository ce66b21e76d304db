"""What roll-outs ask of a person, and what becomes of it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.rollouts.acting import CANARY, QUICK, approve_all, at, decide
from tests.orchestration.rollouts.small_world import (
    ACTOR,
    ALIAS,
    MODEL,
    NEW,
    OLD,
    Bench,
    open_bench,
)

from ml_orchestrator.errors import ApprovalRequiredError, ConflictError


def test_a_quiet_server_pauses_and_only_a_person_can_promote_past_that(tmp_path: Path) -> None:
    bench = open_bench(tmp_path, versions={str(NEW): {"n": 3}})
    rollout_id = bench.begin(**QUICK)
    refused: list[str] = []

    def ask_then_approve() -> None:
        with pytest.raises(ConflictError, match="pause changes nothing"):
            decide(bench, rollout_id, "pause")
        with pytest.raises(ApprovalRequiredError) as caught:
            decide(bench, rollout_id, "promote")
        (approval,) = bench.approvals.pending()
        refused.append(str(caught.value))
        assert approval.id in refused[0]
        assert "error_rate" in approval.summary
        approve_all(bench)
        decide(bench, rollout_id, "promote")

    at(bench, "paused", ask_then_approve)
    ended = bench.run(rollout_id)

    assert len(refused) == 1
    assert (ended.state, ended.progress.approved_by) == ("promoted", "ada")
    assert bench.effects()[-1] == "unload 1"
    bench.close()


def test_a_pause_for_a_person_names_the_command(bench: Bench) -> None:
    bench.run(bench.begin(approval="before_promotion", pause_limit_s=5.0, **QUICK))

    (approval,) = bench.approvals.recent()
    _, paused = bench.mailbox.inbox(ACTOR).messages
    assert f"Needed: A person: ml-orchestrator approve {approval.id}." in paused.content


@pytest.mark.parametrize(("verdict", "ending"), [("approved", "promoted"), ("rejected", "aborted")])
def test_the_switch_waits_for_a_person_where_that_was_asked_for(
    bench: Bench, verdict: Any, ending: str
) -> None:
    rollout_id = bench.begin(approval="before_promotion", **QUICK)
    before: list[Any] = []

    def answer() -> None:
        if not bench.approvals.pending():
            bench.on_wait = answer
            return
        before.extend(bench.effects())
        (approval,) = bench.approvals.pending()
        with pytest.raises(ConflictError, match=f"ml-orchestrator approve {approval.id}"):
            decide(bench, rollout_id, "resume")
        bench.approvals.decide(approval.id, verdict, decided_by="ada", via="terminal")
        bench.on_wait = lambda: None

    at(bench, "paused", answer)
    ended = bench.run(rollout_id)

    assert ended.state == ending, ended.progress.reason
    assert before == ["load 2"]


def test_an_alias_whose_policy_wants_a_person_uses_that_approval_up(tmp_path: Path) -> None:
    (tmp_path / "policies.toml").write_text('[alias.stable]\napproval = "promotions"\n')
    bench = open_bench(tmp_path)
    plan = bench.desk.plan(
        MODEL, NEW, alias=ALIAS, expected_version=OLD, spec=QUICK, actor="ml-orchestrator"
    )
    rollout_id = bench.desk.start(plan, actor="ml-orchestrator", reason="a test", key=None)

    bench.on_wait = partial(approve_all, bench)
    ended = bench.run(rollout_id)

    assert plan.spec.approval == "before_promotion"
    assert ended.state == "promoted", ended.progress.reason
    assert [a.state for a in bench.approvals.recent()] == ["used"]
    bench.close()


@pytest.mark.parametrize("policy", ["", '[alias.stable]\napproval = "promotions"\n'])
@pytest.mark.parametrize(
    ("choice", "ending"), [("abort", "aborted"), (None, "rolled_back"), ("rollback", "rolled_back")]
)
def test_what_was_asked_of_a_person_is_withdrawn_when_the_roll_out_is_over(
    tmp_path: Path, policy: str, choice: str | None, ending: str
) -> None:
    (tmp_path / "policies.toml").write_text(policy)
    bench = open_bench(tmp_path)
    others = bench.approvals.request(
        subject=f"alias:{MODEL}@{ALIAS}", digest="d", summary="by hand", requested_by=ACTOR
    )
    rollout_id = bench.begin(approval="before_promotion", pause_limit_s=60.0, **QUICK)

    def act() -> None:
        if len(bench.approvals.pending()) == 1:
            bench.on_wait = act
        elif choice is not None:
            decide(bench, rollout_id, choice)
            bench.on_wait = lambda: None

    bench.on_wait = act
    ended = bench.run(rollout_id)

    assert ended.state == ending
    asked = bench.approvals.recent()[0]
    assert asked.subject == (f"alias:{MODEL}@{ALIAS}" if policy else f"rollout:{rollout_id}")
    why = f"withdrawn: roll-out {rollout_id} was {ending.replace('_', ' ')}"
    assert (asked.state, asked.reason) == ("expired", why)
    with pytest.raises(ConflictError, match=why):
        bench.approvals.decide(asked.id, "approved", decided_by="ada", via="terminal")
    with pytest.raises(ConflictError, match="nothing is left to decide"):
        decide(bench, rollout_id, "promote")
    assert bench.approvals.pending() == (others,)
    bench.close()


def test_a_worker_killed_before_the_end_is_recorded_leaves_no_approval_waiting(
    tmp_path: Path,
) -> None:
    first = open_bench(tmp_path)
    rollout_id = first.begin(approval="before_promotion", pause_limit_s=5.0, **QUICK)
    record = first.journal.record

    def die_at_the_end(rollout: Any, turn: Any) -> Any:
        if turn.state == "rolled_back":
            raise KeyboardInterrupt
        return record(rollout, turn)

    first.journal.record = die_at_the_end  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        first.run(rollout_id)
    first.close()
    second = Bench(tmp_path)

    assert second.run(rollout_id).state == "rolled_back"
    assert [found.state for found in second.approvals.recent()] == ["expired"]
    second.close()


def test_a_promoted_roll_out_keeps_what_was_approved_and_withdraws_what_still_waits(
    bench: Bench,
) -> None:
    rollout_id = bench.begin(approval="before_promotion", pause_limit_s=60.0, **QUICK)

    def ask_too_much() -> None:
        if approve_all(bench):
            at(bench, "baking", ask_to_promote)

    def ask_to_promote() -> None:
        with pytest.raises(ApprovalRequiredError):
            decide(bench, rollout_id, "promote")

    bench.on_wait = ask_too_much
    assert bench.run(rollout_id).state == "promoted"
    states = [found.state for found in bench.approvals.recent()]
    assert states == ["expired", "approved"]


def test_who_lets_gates_go_has_not_approved_the_switch(tmp_path: Path) -> None:
    bench = open_bench(tmp_path, versions={str(NEW): {"n": 3}})
    rollout_id = bench.begin(approval="before_promotion", pause_limit_s=120.0, **CANARY)
    effects: list[Any] = []

    def approve_and_promote() -> None:
        with pytest.raises(ApprovalRequiredError):
            decide(bench, rollout_id, "promote")
        approve_all(bench)
        decide(bench, rollout_id, "promote")
        bench.on_wait = approve_the_switch

    def approve_the_switch() -> None:
        if bench.approvals.pending():
            effects.extend(bench.effects())
            approve_all(bench)

    at(bench, "paused", approve_and_promote)
    bench.run(rollout_id)

    assert effects == ["load 2", "canary 0.1"]
    assert "swap to 2" in bench.effects()
    assert len(bench.approvals.recent()) > 1
    bench.close()
