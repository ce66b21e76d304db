"""Approvals by a person: asked for by a plan, bound to its digest, used once, and short-lived.

Whoever plans something that needs a person calls ``request`` and later ``spend``. Only
``SecurityIntegrationService`` calls ``decide``: from a terminal, or with the answer that a
person gave to an elicitation. No stored text and no argument of a tool can become an approval.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, and_, func, insert, select, update

from ml_orchestrator.errors import (
    ApprovalRequiredError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from ml_orchestrator.program import program
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import approvals

__all__ = ["APPROVAL_LIFETIME", "Approvals", "UnusedState", "spend_approval"]

APPROVAL_LIFETIME = timedelta(hours=24)
ID_LENGTH = 12
MAX_TEXT = 4_000
MAX_LISTED = 100
_TABLE = approvals.c
UnusedState = Literal["pending", "approved"]


class Approvals:
    """Every approval that was asked for, in the state database. Thread- and process-safe.

    An approval is *pending* until a person decides, then *approved* or *rejected*, and *used*
    once spent. One that is neither used nor rejected by ``expires_at`` is *expired*, as is one that
    was withdrawn, whose ``reason`` then says why.
    """

    def __init__(
        self, database: Database, *, new_id: Callable[[], str], now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._new_id = new_id
        self._now = now

    def request(
        self,
        *,
        subject: str,
        digest: str,
        summary: str,
        requested_by: str,
        wait_s: float | None = None,
    ) -> Approval:
        """Return the live approval of this plan; asked for now, unless it was before.

        A rejection is an answer: it is returned until it expires, and not asked again.

        Args:
            subject: What is changed, e.g. ``alias:churn@production`` or ``rollout:ID``.
            digest: Digest of the plan; whatever matters to the person must be part of it.
            summary: What the person reads; the words of agents in it are data.
            requested_by: The agent that asks.
            wait_s: How long whoever asks waits, instead of a day. Asked again while it is pending,
                it waits so long from now on.
        """
        for name, text in (("subject", subject), ("digest", digest), ("summary", summary)):
            _check_text(name, text)
        now = self._now()
        lifetime = APPROVAL_LIFETIME if wait_s is None else timedelta(seconds=wait_s)
        values = {
            "id": self._new_id()[:ID_LENGTH],
            "subject": subject,
            "digest": digest,
            "summary": summary,
            "requested_by": requested_by,
            "requested_at": timestamp(now),
            "expires_at": timestamp(now + lifetime),
            "state": "pending",
        }
        is_extended = wait_s is not None
        return self._database.write(
            lambda connection: _request(connection, values, is_extended=is_extended)
        )

    def decide(
        self,
        approval_id: str,
        verdict: Literal["approved", "rejected"],
        *,
        decided_by: str,
        via: Literal["terminal", "elicitation"],
        reason: str | None = None,
    ) -> Approval:
        """Write down what a person decided.

        What was to be decided within the wait of whoever asked can be used for a day from now, so
        that it is not lost with a process that died while it waited.

        Raises:
            NotFoundError: no approval has this id.
            ConflictError: it is decided, used or expired already.
        """
        _check_text("reason", reason or "-")
        now = self._now()
        at = timestamp(now)
        values = {
            "state": verdict,
            "decided_by": decided_by,
            "decided_via": via,
            "decided_at": at,
            "decision_reason": reason,
        }

        def act(connection: Connection) -> Approval:
            found = _found(connection, approval_id, at)
            if found.state != "pending":
                why = f" ({found.reason})" if found.reason else ""
                raise ConflictError(
                    f"Approval {approval_id} is {found.state}{why}; it can be decided once."
                )
            row = connection.execute(
                update(approvals)
                .where(_TABLE.id == approval_id)
                .values(**values, expires_at=timestamp(_usable_until(found, now)))
                .returning(approvals)
            )
            decided = _approval(row.mappings().one(), at)
            _audit(connection, decided, verdict, actor=decided_by, via=via, reason=reason)
            return decided

        return self._database.write(act)

    def spend(self, *, subject: str, digest: str) -> Approval:
        """Use the approval of this plan up, and return it.

        Raises:
            ApprovalRequiredError: it was asked for and nobody decided yet, or was never asked for.
            PermissionDeniedError: a person rejected it.
        """
        at = timestamp(self._now())
        return self._database.write(
            lambda connection: spend_approval(connection, subject=subject, digest=digest, at=at)
        )

    def withdraw(
        self,
        subject: str,
        *,
        states: Sequence[UnusedState],
        because: str,
        naming: str = "",
    ) -> None:
        """Let what is asked of a person expire now, since there is nothing left to approve.

        Args:
            subject: What they are about, as it was requested.
            states: Which ones; done again, nothing changes.
            because: Why; kept as the reason where a person gave none.
            naming: Only those whose summary contains this.
        """
        at = timestamp(self._now())
        withdrawn = (
            update(approvals)
            .where(
                _TABLE.subject == subject,
                _TABLE.state.in_(states),
                _TABLE.expires_at > at,
                _TABLE.summary.contains(naming, autoescape=True),
            )
            .values(expires_at=at, decision_reason=func.coalesce(_TABLE.decision_reason, because))
        )

        def act(connection: Connection) -> None:
            for row in connection.execute(withdrawn.returning(approvals)).mappings().all():
                gone = _approval(row, at)
                _audit(connection, gone, "withdrawn", actor=gone.requested_by, reason=because)

        self._database.write(act)

    def given(self, approval_id: str) -> Approval:
        """Return an approval that a person gave, used or not.

        Raises:
            ApprovalRequiredError: nobody has decided yet.
            ConflictError: it expired.
            PermissionDeniedError: a person rejected it.
            NotFoundError: no approval has this id.
        """
        found = self.find(approval_id)
        if found.state == "expired":
            raise ConflictError(f"Approval {approval_id} has expired; ask anew.")
        _must_not_wait_or_be_rejected(found, found.subject)
        return found

    def find(self, approval_id: str) -> Approval:
        """Return one approval.

        Raises:
            NotFoundError: no approval has this id; the message names the pending ones.
        """
        at = timestamp(self._now())
        return self._database.read(lambda connection: _found(connection, approval_id, at))

    def used(self, *, subject: str, digest: str) -> Approval | None:
        """Return the approval of this plan that was used up; None if none was."""
        at = timestamp(self._now())
        query = select(approvals).where(
            _TABLE.subject == subject, _TABLE.digest == digest, _TABLE.state == "used"
        )
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else _approval(row, at)

    def pending(self, *, limit: int = MAX_LISTED) -> tuple[Approval, ...]:
        """Return what waits for a person, oldest first."""
        at = timestamp(self._now())
        return self._database.read(lambda connection: _pending(connection, at, limit))

    def recent(self, *, limit: int = MAX_LISTED) -> tuple[Approval, ...]:
        """Return the last approvals in any state, newest first."""
        at = timestamp(self._now())
        query = select(approvals).order_by(_TABLE.seq.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return tuple(_approval(row, at) for row in rows)


def spend_approval(connection: Connection, *, subject: str, digest: str, at: str) -> Approval:
    """``Approvals.spend`` inside the caller's write transaction, so both happen or neither."""
    found = _must_not_wait_or_be_rejected(_live(connection, subject, digest, at), subject)
    row = connection.execute(
        update(approvals)
        .where(_TABLE.id == found.id)
        .values(state="used", used_at=at)
        .returning(approvals)
    )
    used = _approval(row.mappings().one(), at)
    _audit(connection, used, "used", actor=used.requested_by)
    return used


def _must_not_wait_or_be_rejected(found: Approval | None, subject: str) -> Approval:
    if found is None or found.state == "pending":
        raise ApprovalRequiredError(_ask(found, subject), approval_id=found.id if found else None)
    if found.state == "rejected":
        because = f": {found.reason}" if found.reason else "."
        raise PermissionDeniedError(
            f"{found.decided_by} rejected this plan (approval {found.id}){because} "
            "Make another plan, or talk to that person."
        )
    return found


def _usable_until(found: Approval, now: datetime) -> datetime:
    if found.expires_at - found.requested_at == APPROVAL_LIFETIME:
        return found.expires_at
    return max(found.expires_at, now + APPROVAL_LIFETIME)


def _request(connection: Connection, values: dict[str, Any], *, is_extended: bool) -> Approval:
    at = values["requested_at"]
    if live := _live(connection, values["subject"], values["digest"], at):
        if not is_extended or live.state != "pending":
            return live
        return _extended(connection, live, max(timestamp(live.expires_at), values["expires_at"]))
    row = connection.execute(insert(approvals).values(**values).returning(approvals))
    asked = _approval(row.mappings().one(), at)
    _audit(connection, asked, "requested", actor=asked.requested_by)
    return asked


def _audit(connection: Connection, about: Approval, act: str, *, actor: str, **more: Any) -> None:
    audit(
        connection,
        f"approval.{act}",
        actor=actor,
        subject=about.subject,
        approval=about.id,
        plan=about.digest,
        **more,
    )


def _extended(connection: Connection, live: Approval, until: str) -> Approval:
    connection.execute(update(approvals).where(_TABLE.id == live.id).values(expires_at=until))
    return live.model_copy(update={"expires_at": datetime.fromisoformat(until)})


def _live(connection: Connection, subject: str, digest: str, at: str) -> Approval | None:
    query = (
        select(approvals)
        .where(
            and_(_TABLE.subject == subject, _TABLE.digest == digest),
            _TABLE.state.in_(("pending", "approved", "rejected")),
            _TABLE.expires_at > at,
        )
        .order_by(_TABLE.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _approval(row, at)


def _found(connection: Connection, approval_id: str, at: str) -> Approval:
    query = select(approvals).where(_TABLE.id == approval_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        known = ", ".join(found.id for found in _pending(connection, at, 20)) or "none"
        raise NotFoundError(f"No approval {approval_id[:80]!r}; pending: {known}.")
    return _approval(row, at)


def _pending(connection: Connection, at: str, limit: int) -> tuple[Approval, ...]:
    is_pending = and_(_TABLE.state == "pending", _TABLE.expires_at > at)
    query = select(approvals).where(is_pending).order_by(_TABLE.seq).limit(limit)
    return tuple(_approval(row, at) for row in connection.execute(query).mappings())


def _ask(found: Approval | None, subject: str) -> str:
    if found is None:
        return f"{subject} needs the approval of a person, and it was not asked for."
    return (
        f"{subject} needs the approval of a person; nothing was changed. Approval {found.id} is "
        f"pending: a person can run `{program()} approve {found.id}` in a terminal. Then "
        "repeat this call unchanged."
    )


def _check_text(name: str, text: str) -> None:
    if not text or len(text) > MAX_TEXT or "\0" in text:
        raise InvalidInputError(f"{name} must have 1 to {MAX_TEXT} characters, without NUL.")


def _approval(row: RowMapping, at: str) -> Approval:
    is_over = row["state"] in {"pending", "approved"} and row["expires_at"] <= at
    return Approval(
        id=row["id"],
        subject=row["subject"],
        digest=row["digest"],
        summary=row["summary"],
        requested_by=row["requested_by"],
        requested_at=datetime.fromisoformat(row["requested_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        state="expired" if is_over else row["state"],
        decided_by=row["decided_by"],
        decided_via=row["decided_via"],
        decided_at=row["decided_at"] and datetime.fromisoformat(row["decided_at"]),
        reason=row["decision_reason"],
    )
