"""Scoring recorded outputs without a model: the share of checks that each meets.

Patterns and schemas come from outside and may take for ever, so where there are any they run in a
process of their own that is ended in time: ``checks_process``.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.optimization.reflective.models import Check

__all__ = ["Scored", "Task", "is_met", "refuse_bad_checks", "score_output", "score_outputs"]

LIMIT_S = 10.0
PROCESS = "ml_orchestrator.optimization.reflective.checks_process"
SLOW = ("regex", "json_schema")
Task: TypeAlias = tuple[str, str | None, Sequence[Check]]
"""Output, what was expected, and the checks."""
Scored: TypeAlias = tuple[float, list[str]]
"""Share of checks met, and those that are not, in words."""
IsMet: TypeAlias = Callable[[Check, str, str | dict[str, Any]], bool]
"""Whether an output meets a check whose value is given."""


def refuse_bad_checks(checks: Sequence[Check], expected: str | None) -> None:
    """Return if the checks can be used for an example.

    Raises:
        InvalidInputError: one has nothing to compare with, a pattern that cannot be read, or a
            value of a wrong kind.
    """
    for check in checks:
        value = expected if check.value is None else check.value
        if value is None:
            raise InvalidInputError(
                f"Check {check.kind!r} has no value and the example no 'expected'; give one."
            )
        if (check.kind == "json_schema") != isinstance(value, dict):
            wanted = "a schema" if check.kind == "json_schema" else "text"
            raise InvalidInputError(
                f"Check {check.kind!r} takes {wanted} as value; found {type(value).__name__}."
            )
        if check.kind == "regex":
            _refuse_bad_pattern(str(value))


def score_outputs(tasks: Sequence[Task]) -> list[Scored]:
    """Return the score of each output, 0 to 1, with what it failed.

    Raises:
        InvalidInputError: patterns or schemas took more than ten seconds, or a schema is none.
        UnavailableError: the process that tries them cannot be started.
    """
    if not any(check.kind in SLOW for *_, checks in tasks for check in checks):
        return [score_output(*task, is_met=is_met) for task in tasks]
    plain = [
        [output, expected, [check.model_dump(mode="json") for check in checks]]
        for output, expected, checks in tasks
    ]
    answer = _in_a_process(json.dumps(plain))
    if "fault" in answer:
        raise InvalidInputError(f"A json_schema of a check cannot be used: {answer['fault']}.")
    return [(float(share), list(failed)) for share, failed in answer["scores"]]


def _refuse_bad_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidInputError(
            f"Pattern {pattern[:80]!r} of a regex check cannot be read: {error}."
        ) from error


def _in_a_process(text: str) -> dict[str, Any]:
    kept = {k: os.environ[k] for k in ("PATH", "LANG", "SYSTEMROOT") if k in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", PROCESS],
            input=text.encode(),
            capture_output=True,
            timeout=LIMIT_S,
            env=kept,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInputError(
            f"The regex and json_schema checks took more than {LIMIT_S:.0f} s on these outputs. "
            "Simplify the patterns, such as nested repetitions."
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"Checks could not be run ({type(error).__name__}).") from error
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def score_output(
    output: str, expected: str | None, checks: Sequence[Check], *, is_met: IsMet
) -> Scored:
    """Return the share of checks that one output meets, and those it fails."""
    failed = [
        _shown(check, value)
        for check in checks
        if not is_met(check, output, value := _value(check, expected))
    ]
    return 1 - len(failed) / len(checks), failed


def is_met(check: Check, output: str, value: str | dict[str, Any]) -> bool:
    """Say whether an output meets a check that compares plain text."""
    wanted = str(value)
    if check.kind == "exact":
        return output.strip() == wanted.strip()
    is_in = wanted.casefold() in output.casefold()
    return is_in if check.kind == "contains" else not is_in


def _value(check: Check, expected: str | None) -> str | dict[str, Any]:
    return (expected or "") if check.value is None else check.value


def _shown(check: Check, value: str | dict[str, Any]) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{check.kind}: {text[:200]}"
