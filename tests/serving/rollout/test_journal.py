"""The record of roll-outs, on both kinds of database."""

from datetime import UTC, datetime
from functools import partial

import pytest

from ml_orchestrator.errors import ConflictError, NotFoundError
from ml_orchestrator.serving.rollout.actions import Note, Turn
from ml_orchestrator.serving.rollout.journal import RolloutJournal
from ml_orchestrator.serving.rollout.models import RolloutPlan, RolloutSpec
from ml_orchestrator.serving.rollout.outcomes import RequestOutcome, SqlOutcomes
from ml_orchestrator.storage.engine import Database


@pytest.fixture
def journal(database: Database) -> RolloutJournal:
    names = iter(f"rollout-{n}" for n in range(10))
    return RolloutJournal(
        database, new_id=lambda: next(names), now=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )


def plan(model: str = "m", version: int = 2) -> RolloutPlan:
    return RolloutPlan(
        model=model, alias="champion", from_version=1, to_version=version, spec=RolloutSpec(),
        phases=(), obstacles=(), digest="d",
    )  # fmt: skip


def test_a_roll_out_is_begun_once_per_key_and_one_at_a_time_per_model(
    journal: RolloutJournal,
) -> None:
    first = journal.begin(plan(), actor="me", reason="why", key="k")

    assert journal.begin(plan(), actor="me", reason="why", key="k") == first
    assert journal.started_with("k", actor="me") == first
    assert journal.started_with("k", actor="you") is None
    with pytest.raises(ConflictError, match="used before with other content"):
        journal.begin(plan(version=3), actor="me", reason="why", key="k")
    with pytest.raises(ConflictError, match="is pending"):
        journal.begin(plan(version=3), actor="me", reason="why", key=None)
    assert journal.begin(plan("other"), actor="me", reason="why", key=None) != first


def test_state_progress_and_history_change_together_and_stay(journal: RolloutJournal) -> None:
    rollout = journal.take(journal.begin(plan(), actor="me", reason="why", key=None))
    turn = Turn("loading", {"pointer": 1}, (Note("state", "loading"), Note("pointer", "1")))

    recorded = journal.record(rollout, turn)

    assert (recorded.state, recorded.progress.pointer, recorded.epoch) == ("loading", 1, 1)
    assert [(e.kind, e.actor, e.detail) for e in journal.events(rollout.id)] == [
        ("state", "me", "pending: why"), ("state", "roll-out", "loading"),
        ("pointer", "roll-out", "1"),
    ]  # fmt: skip
    journal.record(recorded, Turn("aborted"))
    assert journal.begin(plan(), actor="me", reason="again", key=None)  # the first one is over


def test_decisions_are_taken_in_one_by_one_in_their_order(journal: RolloutJournal) -> None:
    rollout = journal.take(journal.begin(plan(), actor="me", reason="why", key=None))
    journal.decide(rollout.id, "pause", actor="me", reason="wait", key="a")
    journal.decide(rollout.id, "pause", actor="me", reason="wait", key="a")
    journal.decide(rollout.id, "promote", actor="you", reason="go", approved_by="ada")

    first = journal.decision(rollout)
    assert first is not None
    rollout = journal.record(rollout, Turn("paused", {"decisions_seen": first.seq}))
    second = journal.decision(rollout)
    assert second is not None
    rollout = journal.record(rollout, Turn("paused", {"decisions_seen": second.seq}))

    assert (first.choice, first.actor, first.reason, first.approved_by) == (
        "pause", "me", "wait", None,
    )  # fmt: skip
    assert (second.choice, second.approved_by) == ("promote", "ada")
    assert journal.decision(rollout) is None


def test_an_unknown_roll_out_is_refused_with_the_latest(journal: RolloutJournal) -> None:
    known = journal.begin(plan(), actor="me", reason="why", key=None)
    with pytest.raises(NotFoundError, match=f"'rollout-x'; the latest are: {known}"):
        journal.get("rollout-x")


def test_one_outcome_counts_once_and_pairs_by_order_or_by_request(database: Database) -> None:
    outcomes = SqlOutcomes(database, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def outcome(request_id: str, version: int, truth: float) -> RequestOutcome:
        return RequestOutcome(
            request_id=request_id, version=version, prediction=1.0, truth=truth, scale=2.0
        )

    new = [outcome("a", 2, 1.0), outcome("b", 2, 2.0), outcome("c", 2, 9.0)]
    first = outcomes.report("m", [*new, outcome("c", 1, 1.0), outcome("b", 1, 1.5)])
    again = outcomes.report("m", new)

    assert (first.n_new, first.n_known, again.n_new, again.n_known) == (5, 0, 0, 3)
    losses = partial(outcomes.losses, "m", old=1, new=2, since="2025")
    in_order = losses(pairing="order")
    assert (in_order.old, in_order.new) == ([0.0, 0.25], [0.0, 0.5, 1.0])
    paired = losses(pairing="request")
    assert (paired.old, paired.new) == ([0.25, 0.0], [0.5, 1.0])


def test_the_truth_about_a_number_needs_a_scale() -> None:
    with pytest.raises(ValueError, match="needs 'scale'"):
        RequestOutcome(request_id="a", version=1, prediction=1.0, truth=2.0)
    assert RequestOutcome(request_id="a", version=1, prediction="1", truth="0").loss == 1.0
