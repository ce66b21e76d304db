"""When looks become an alert and when it is over: pure decisions, without a clock or a store."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from ml_orchestrator.health.monitors.models import (
    AlertKind,
    Condition,
    MonitorSpec,
    MonitorState,
    Verdict,
)

__all__ = ["Effect", "join", "step"]

Effect = Literal["none", "open_finding", "open_no_data", "resolve", "resolve_and_open_finding"]


def step(
    before: Condition,
    verdict: Verdict,
    *,
    at: datetime,
    spec: MonitorSpec,
    is_open: AlertKind | None,
) -> tuple[Condition, Effect]:
    """Return the condition after one look, and what happens to the alert.

    An alert about a finding opens after ``open_after`` bad looks among the last ``of``, and is
    resolved by ``resolve_after`` good ones in a row. Looks without data count as neither; they
    open an alert of their own after ``grace_s``, which the next data resolve. One is open at most.

    Args:
        before: the condition before it.
        verdict: what the look found.
        at: when.
        spec: how many looks it takes.
        is_open: the kind of the alert that is open.
    """
    if verdict in ("good", "bad"):
        return _with_data(before, verdict == "bad", at=at, spec=spec, is_open=is_open)
    return _without_data(before, verdict, at=at, spec=spec, is_open=is_open)


def _with_data(
    before: Condition, is_bad: bool, *, at: datetime, spec: MonitorSpec, is_open: AlertKind | None
) -> tuple[Condition, Effect]:
    recent = (*before.recent, is_bad)[-spec.of :]
    n_good = 0 if is_bad else before.n_good + 1
    opens = is_bad and sum(recent) >= spec.open_after
    effect: Effect = "none"
    if is_open == "finding" and n_good >= spec.resolve_after:
        effect, recent = "resolve", ()
    elif is_open == "no_data":
        effect = "resolve_and_open_finding" if opens else "resolve"
    elif is_open is None and opens:
        effect = "open_finding"
    is_alerting = effect.endswith("open_finding") or (is_open == "finding" and effect == "none")
    state: MonitorState = "suspect" if any(recent) else "healthy"
    return (
        before.model_copy(
            update={
                "state": "alerting" if is_alerting else state,
                "recent": recent,
                "n_good": n_good,
                "last_data_at": at.isoformat(timespec="microseconds"),
            }
        ),
        effect,
    )


def _without_data(
    before: Condition,
    verdict: Verdict,
    *,
    at: datetime,
    spec: MonitorSpec,
    is_open: AlertKind | None,
) -> tuple[Condition, Effect]:
    silent_for = at - datetime.fromisoformat(before.last_data_at)
    is_late = silent_for >= timedelta(seconds=spec.grace_s)
    changes: dict[str, Any] = {}
    if verdict == "no_data":
        changes["n_good"] = 0
    if is_open != "finding" and (verdict == "no_data" or is_late):
        changes["state"] = "no_data"
    opens = is_late and is_open is None
    return before.model_copy(update=changes), "open_no_data" if opens else "none"


def join(
    before: Condition, subjects: Mapping[str, str], effect: Effect, *, is_open: AlertKind | None
) -> tuple[tuple[str, ...], list[str]]:
    """Return what the open alert is about after a look, and the sentences that join it.

    Args:
        before: the condition before the look.
        subjects: what the look found to be bad, each with its sentence.
        effect: what happens to the alert.
        is_open: the kind of the alert that was open.
    """
    if effect.endswith("open_finding"):
        return tuple(subjects), []
    if is_open != "finding" or effect == "resolve":
        return (), []
    new = {subject: said for subject, said in subjects.items() if subject not in before.reported}
    return (*before.reported, *new), list(new.values())
