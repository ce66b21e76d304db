import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ml_orchestrator.errors import (
    ApprovalRequiredError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from ml_orchestrator.registry.approvals import APPROVAL_LIFETIME, Approvals
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.storage.engine import open_database


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def approvals(state_url: str, tmp_path: Path, clock: Clock) -> Iterator[Approvals]:
    ids = itertools.count(1)
    database = open_database(state_url, tmp_path)
    yield Approvals(database, new_id=lambda: f"a{next(ids)}", now=clock)
    database.close()


def plan(approvals: Approvals, digest: str = "d1") -> Approval:
    return approvals.request(
        subject="alias:iris@production",
        digest=digest,
        summary="from 1 to 2",
        requested_by="ml-orchestrator",
    )


def spend(approvals: Approvals, digest: str = "d1") -> Approval:
    return approvals.spend(subject="alias:iris@production", digest=digest)


def approve(approvals: Approvals, approval_id: str) -> Approval:
    return approvals.decide(approval_id, "approved", decided_by="ada", via="terminal", reason="ok")


def test_a_plan_is_asked_for_once_approved_once_and_used_once(
    approvals: Approvals, clock: Clock
) -> None:
    asked = plan(approvals)
    assert plan(approvals) == asked
    assert approvals.pending() == (asked,)

    approved = approve(approvals, asked.id)
    assert approved == asked.model_copy(
        update={
            "state": "approved",
            "decided_by": "ada",
            "decided_via": "terminal",
            "decided_at": clock.now,
            "reason": "ok",
        }
    )
    assert spend(approvals) == approved.model_copy(update={"state": "used"})
    with pytest.raises(ApprovalRequiredError, match="was not asked for"):
        spend(approvals)
    assert plan(approvals).id != asked.id


def test_a_pending_approval_names_the_command(approvals: Approvals) -> None:
    asked = plan(approvals)
    with pytest.raises(ApprovalRequiredError, match=f"ml-orchestrator approve {asked.id}") as seen:
        spend(approvals)
    assert seen.value.approval_id == asked.id
    assert approvals.find(asked.id).state == "pending"


def test_an_approval_is_of_one_plan_only(approvals: Approvals) -> None:
    approve(approvals, plan(approvals).id)
    with pytest.raises(ApprovalRequiredError):
        spend(approvals, "d2")
    with pytest.raises(ApprovalRequiredError):
        approvals.spend(subject="alias:iris@champion", digest="d1")
    assert spend(approvals).state == "used"


def test_a_rejection_is_an_answer_and_is_not_asked_again(approvals: Approvals) -> None:
    asked = plan(approvals)
    approvals.decide(asked.id, "rejected", decided_by="ada", via="elicitation", reason="not today")
    with pytest.raises(PermissionDeniedError, match=r"ada rejected this plan.*not today"):
        spend(approvals)
    assert (plan(approvals).id, plan(approvals).state) == (asked.id, "rejected")
    with pytest.raises(ConflictError, match="is rejected"):
        approve(approvals, asked.id)


def test_what_is_not_used_in_time_expires(approvals: Approvals, clock: Clock) -> None:
    approved, pending = plan(approvals, "d1"), plan(approvals, "d2")
    approve(approvals, approved.id)
    clock.now += APPROVAL_LIFETIME

    assert [found.state for found in approvals.recent()] == ["expired", "expired"]
    assert approvals.pending() == ()
    with pytest.raises(ApprovalRequiredError, match="was not asked for"):
        spend(approvals)
    with pytest.raises(ConflictError, match="is expired"):
        approve(approvals, pending.id)
    assert plan(approvals).expires_at == clock.now + timedelta(hours=24)


def test_what_is_withdrawn_waits_no_more_and_says_why_when_it_is_decided(
    approvals: Approvals, clock: Clock
) -> None:
    pending, approved, other = (plan(approvals, digest) for digest in ("d1", "d2", "d3"))
    approve(approvals, approved.id)
    subject, because = pending.subject, "withdrawn: it is over"
    approvals.withdraw("alias:iris@champion", states=("pending",), because=because)
    approvals.withdraw(subject, states=("pending",), because=because, naming="1 to %")
    assert approvals.pending() == (pending, other)

    for _ in range(2):
        approvals.withdraw(subject, states=("pending",), because=because, naming="1 to 2")
        clock.now += timedelta(minutes=1)

    assert approvals.pending() == ()
    assert approvals.find(pending.id) == pending.model_copy(
        update={"state": "expired", "reason": because, "expires_at": pending.requested_at}
    )
    with pytest.raises(ConflictError, match=r"is expired \(withdrawn: it is over\)"):
        approve(approvals, pending.id)
    assert plan(approvals).id != pending.id
    assert approvals.find(approved.id).state == "approved"
    approvals.withdraw(subject, states=("pending", "approved"), because=because)
    assert (approvals.find(approved.id).state, approvals.find(approved.id).reason) == (
        "expired", "ok",
    )  # fmt: skip


def test_unknown_ids_name_what_is_pending(approvals: Approvals) -> None:
    asked = plan(approvals)
    with pytest.raises(NotFoundError, match=f"No approval 'x'; pending: {asked.id}"):
        approvals.find("x")
    with pytest.raises(InvalidInputError, match="without NUL"):
        approvals.request(subject="s", digest="d", summary="a\0b", requested_by="a")


def test_of_many_that_spend_one_approval_one_wins(approvals: Approvals) -> None:
    approve(approvals, plan(approvals).id)
    outcomes: list[str] = []

    def act() -> None:
        try:
            outcomes.append(spend(approvals).state)
        except ApprovalRequiredError:
            outcomes.append("refused")

    threads = [threading.Thread(target=act) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == ["refused"] * 7 + ["used"]
