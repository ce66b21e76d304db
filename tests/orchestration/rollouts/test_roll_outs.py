"""Roll-outs carried out in a small world whose clock moves only when somebody waits."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
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

from ml_orchestrator.errors import ApprovalRequiredError, ConflictError, InvalidInputError
from ml_orchestrator.orchestration.rollouts.desk import read_spec
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.serving.rollout.measuring import Losses
from ml_orchestrator.serving.rollout.outcomes import RequestOutcome
from ml_orchestrator.storage.engine import timestamp

QUICK: dict[str, Any] = {"bake_s": 60.0}
CANARY: dict[str, Any] = {
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


def at(bench: Bench, moment: str, act: Callable[[], None]) -> None:
    """Act once, as soon as the roll-out waits in a state whose last note begins so."""
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


@pytest.mark.parametrize(("choice", "ending"), [("abort", "aborted"), ("rollback", "rolled_back")])
def test_a_decision_in_the_bake_lets_the_old_version_answer(
    bench: Bench, choice: str, ending: str
) -> None:
    rollout_id = bench.begin(**QUICK)
    at(bench, "baking", lambda: decide(bench, rollout_id, choice))

    ended = bench.run(rollout_id)

    assert ended.state == ending
    assert ended.progress.reason == "ml-orchestrator: why"
    assert_back(bench, rollout_id)


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
        bench.approvals.decide(approval.id, "approved", decided_by="ada", via="terminal")
        decide(bench, rollout_id, "promote")

    at(bench, "paused", ask_then_approve)
    ended = bench.run(rollout_id)

    assert len(refused) == 1
    assert (ended.state, ended.progress.approved_by) == ("promoted", "ada")
    assert bench.effects()[-1] == "unload 1"
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


def test_a_pause_for_a_person_names_the_command(bench: Bench) -> None:
    bench.run(bench.begin(approval="before_promotion", pause_limit_s=5.0, **QUICK))

    (approval,) = bench.approvals.recent()
    _, paused = bench.mailbox.inbox(ACTOR).messages
    assert f"Needed: A person: ml-orchestrator approve {approval.id}." in paused.content


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

    def approve() -> None:
        for approval in bench.approvals.pending():
            bench.approvals.decide(approval.id, "approved", decided_by="ada", via="terminal")

    bench.on_wait = approve
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
        for approval in bench.approvals.pending():
            bench.approvals.decide(approval.id, "approved", decided_by="ada", via="terminal")
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
        approve_all()
        decide(bench, rollout_id, "promote")
        bench.on_wait = approve_the_switch

    def approve_the_switch() -> None:
        if bench.approvals.pending():
            effects.extend(bench.effects())
            approve_all()

    def approve_all() -> None:
        for approval in bench.approvals.pending():
            bench.approvals.decide(approval.id, "approved", decided_by="ada", via="terminal")

    at(bench, "paused", approve_and_promote)
    bench.run(rollout_id)

    assert effects == ["load 2", "canary 0.1"]
    assert "swap to 2" in bench.effects()
    assert len(bench.approvals.recent()) > 1
    bench.close()


def test_an_alias_that_somebody_else_moved_to_the_same_version_is_left_and_told(
    tmp_path: Path,
) -> None:
    class Overtaken:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def swap(self, **given: Any) -> Any:
            if opened.world.read()["alias"] == OLD:
                opened.mover.move(
                    MoveRequest(model=MODEL, alias=ALIAS, version=NEW, expected_version=OLD,
                                actor="ada", reason="by hand")
                )  # fmt: skip
            return self._inner.swap(**given)

    World(tmp_path / "world.json").make()
    opened = Bench(tmp_path, wrap=lambda name, x: Overtaken(x) if name == "serving" else x)

    ended = opened.run(opened.begin(**QUICK))

    assert ended.state == "rolled_back"
    assert (opened.world.read()["blue"], opened.world.read()["alias"]) == (OLD, NEW)
    (message,) = opened.mailbox.inbox("ml-orchestrator").messages
    assert "could NOT be moved back" in message.content
    opened.close()


def test_a_person_who_moves_the_alias_back_in_the_bake_ends_the_roll_out_without_complaint(
    bench: Bench,
) -> None:
    rollout_id = bench.begin(**QUICK)

    def move_back() -> None:
        bench.mover.move(
            MoveRequest(model=MODEL, alias=ALIAS, version="previous", expected_version=NEW,
                        actor="ada", reason="by hand")
        )  # fmt: skip

    at(bench, "baking", move_back)
    ended = bench.run(rollout_id)

    assert (ended.state, ended.progress.alias_refusal) == ("rolled_back", None)
    assert_back(bench, rollout_id)
    (message,) = bench.mailbox.inbox("ml-orchestrator").messages
    assert message.content.endswith("Somebody else moved @stable to 1. Version 1 answers.")


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
