"""What a monitor will do, in words: for a dry run, and for whoever set it."""

from collections.abc import Sequence

from ml_orchestrator.health.monitors.models import MonitorSpec
from ml_orchestrator.orchestration.monitors.telling import CONCERNED

__all__ = ["plan_of"]


def plan_of(
    spec: MonitorSpec, schedule: str, *, waits_for: str | None, notices: Sequence[str]
) -> tuple[str, ...]:
    """Return one sentence for each thing it does, in the order in which they happen."""
    lines = [f"Looks at {spec.watch} {schedule}, at {spec.least_rows} to {spec.rows} new rows."]
    lines += [f"There is nothing to look at yet: {waits_for}"] if waits_for else []
    lines += [f"Note: {notice}" for notice in notices]
    lines += _checks(spec)
    lines.append(
        f"Opens an alert after {spec.open_after} bad looks of {spec.of}, and one about missing "
        f"data after {spec.grace_s:g} s without; resolves it after {spec.resolve_after} good ones "
        "in a row."
    )
    lines.append(f"Tells {', '.join(dict.fromkeys((*CONCERNED, *spec.tell)))} and its owner.")
    return (*lines, *_actions(spec))


def _checks(spec: MonitorSpec) -> list[str]:
    lines = []
    rate = f"by chance in {spec.rate:.2%} of looks at unchanged data"
    if spec.drift is not None and spec.drift.limits == "calibrated":
        lines.append(
            f"Drift from {spec.reference}: limits from chunks of it; bad {rate}, all columns "
            "together."
        )
    elif spec.drift is not None:
        lines.append(
            f"Drift from {spec.reference}: as drift_check decides, from a share of "
            f"{spec.drift.share_threshold:g} drifted columns; no rate of false alarms is promised."
        )
    if spec.drift is not None and spec.drift.together is not None:
        lines.append(
            f"All columns at once by {spec.drift.together}; bad {rate} whose rows do not depend on "
            "each other: what recurs by the day or the week is found, too."
        )
    if spec.performance is not None:
        basis = {"measured": "by labels", "estimated": "without labels"}
        how = basis.get(spec.performance.basis, "by labels, or without them")
        lines.append(f"Performance on {spec.performance.target} {how}; bad {rate}.")
    if spec.quality is not None:
        lines.append(
            f"Quality against {spec.reference}: bad from severity {spec.quality.counts}; each "
            "finding has a chance of about 0.1 % on unchanged data."
        )
    return lines


def _actions(spec: MonitorSpec) -> list[str]:
    lines = []
    if spec.retrain is not None:
        then = f"the version is rolled out to @{spec.retrain.alias} behind gates"
        kept = "the version stays @challenger"
        follows = kept if spec.retrain.roll_out is None else then
        lines.append(f"An alert about a finding starts {spec.retrain.workflow}; {follows}.")
    if spec.roll_back is not None:
        lines.append(
            f"An alert about a finding takes back what {spec.roll_back.model!r} has at "
            f"@{spec.roll_back.alias}, by the rules of that alias."
        )
    return lines
