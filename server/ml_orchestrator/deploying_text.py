"""What a terminal shows of roll-outs, in the words of the command line."""

import json
import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ml_orchestrator.program import program
from ml_orchestrator.serving.rollout.gates import Gate
from ml_orchestrator.serving.rollout.models import RolloutEvent, RolloutPlan, RolloutStatus
from ml_orchestrator.serving.rollout.phases import phases_of

__all__ = [
    "bar",
    "event_line",
    "head_lines",
    "in_a_terminal",
    "plain",
    "plan_text",
    "status_text",
    "told_in_a_terminal",
]

_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "deployment_start": "deploy start",
        "deployment_status": "deploy status",
        "deployment_decide": "deploy decide",
        "model_predict": "deploy predict",
        "expected_version": "--expect",
        "plan_digest": "--plan-digest",
        "idempotency_key": "--key",
    }
)
_IGNORED = re.compile(r'column_types \{("(?:[^"\\]|\\.)*"): "ignore"\}')
# Not what is quoted, or a part of a path or a longer name: that is somebody's own.
_NAMES = re.compile(rf"""(?<![\w'"./-])({"|".join(_COMMANDS)})(?![\w'"/-]|\.\w)""")
_SENTENCES = ("done", "notices", "reason", "warnings")  # fields of records


def in_a_terminal(text: str) -> str:
    """Return a sentence with the names of tools and arguments as the command line calls them.

    >>> in_a_terminal('Leave it out by column_types {"visit id": "ignore"}.')
    "Leave it out by train --ignore 'visit id'."
    >>> in_a_terminal("'plan_digest' drifted; deployment_decide takes it back.")
    "'plan_digest' drifted; ml-orchestrator deploy decide takes it back."
    """
    text = _NAMES.sub(lambda found: _typed(_COMMANDS[found.group()]), text)
    return _IGNORED.sub(lambda found: _ignoring(found[1]), text)


def _typed(words: str) -> str:
    return words if words.startswith("--") else f"{program()} {words}"


def told_in_a_terminal(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose sentences say what is typed; names, paths and values stay.

    >>> told_in_a_terminal({"features": ["plan_digest"], "reason": "Pass plan_digest."})
    {'features': ['plan_digest'], 'reason': 'Pass --plan-digest.'}
    """
    return {name: _told(each, name in _SENTENCES) for name, each in record.items()}


def _told(value: Any, is_said: bool) -> Any:
    if isinstance(value, Mapping):
        return told_in_a_terminal(value)
    if isinstance(value, list | tuple):
        return [_told(each, is_said) for each in value]
    return in_a_terminal(value) if is_said and isinstance(value, str) else value


def _ignoring(name: str) -> str:
    return f"train --ignore {shlex.quote(json.loads(name))}"


def plan_text(plan: RolloutPlan) -> str:
    """Return a plan with its phases, what is watched in them, and what stands in the way."""
    phases = phases_of(plan.spec, has_old=plan.from_version is not None)
    lines = [
        f"{plan.model} @{plan.alias}: version {_shown(plan.from_version)} -> {plan.to_version}"
    ]
    lines += [f"  {number}. {phase.describe()}" for number, phase in enumerate(phases, 1)]
    lines += [f"  gate {_gate(gate)}" for gate in phases[-1].gates] or ["  no gate is watched"]
    if plan.spec.approval == "before_promotion":
        lines.append("  a person approves the switch")
    if plan.from_version is None:
        lines.append(
            f"  way back: nothing answers and @{plan.alias} is unset; there is no version before it"
        )
    lines += [f"  in the way: {obstacle}" for obstacle in plan.obstacles]
    return plain([*lines, f"  digest {plan.digest}"])


def _gate(gate: Gate) -> str:
    limits = [
        "" if gate.succeeds_at_most is None else f"passes up to {gate.succeeds_at_most:g}",
        "" if gate.fails_above is None else f"fails above {gate.fails_above:g}",
    ]
    limited = ", ".join(filter(None, limits)) or "any value passes"
    times = f"{gate.count} x every {gate.interval_s:g} s"
    enough = f", from {gate.min_requests} answers" if gate.min_requests else ""
    return f"{gate.metric:<18} {limited}; {times}{enough}"


def status_text(status: RolloutStatus) -> str:
    """Return a roll-out as a terminal shows it; text of others cannot move its cursor."""
    gates = [
        f"  gate {gate.metric:<18} {gate.verdict:<12} {gate.n_measured:>4}  {gate.last_detail}"
        for gate in status.gates
    ]
    return plain([*head_lines(status), *gates, *map(event_line, status.events)])


def head_lines(status: RolloutStatus) -> list[str]:
    """Return where it is, why, and what must be typed now, if anything."""
    lines = [
        f"{status.rollout_id}  {status.state}  {bar(status.fraction)}",
        f"  {status.model} @{status.alias}: version {_shown(status.from_version)} -> "
        f"{status.version}, {status.strategy}{f', {status.phase}' if status.phase else ''}",
    ]
    lines += [f"  why: {in_a_terminal(status.reason)}"] if status.reason else []
    return lines + ([f"  needs: {_needs(status)}"] if status.needs else [])


def bar(fraction: float) -> str:
    """Return how far something is, 0 to 1, as a bar.

    >>> bar(0.25)
    '[#####...............]'
    """
    done = round(fraction * 20)
    return f"[{'#' * done}{'.' * (20 - done)}]"


def event_line(event: RolloutEvent) -> str:
    """Return one line of the history."""
    return f"  {event.at[11:19]}  {event.kind:<8} {event.detail}"


def plain(lines: list[str]) -> str:
    """Return lines as text without what could move a terminal's cursor."""
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def _needs(status: RolloutStatus) -> str:
    decide = f"deployment_decide {status.rollout_id} CHOICE --reason WHY:"
    return in_a_terminal(str(status.needs).replace("deployment_decide:", decide))


def _shown(version: int | None) -> str:
    return "none" if version is None else str(version)
