"""The process that tries patterns and schemas on outputs; ``checks`` starts and ends it.

Reads tasks as JSON from standard input and writes scores as JSON to standard output.
"""

import json
import re
import sys
from typing import Any

from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]
from referencing import Registry
from referencing.exceptions import Unresolvable

from ml_orchestrator.optimization.reflective.checks import is_met, score_output
from ml_orchestrator.optimization.reflective.models import Check

__all__ = ["main"]


def main() -> None:
    """Score what standard input holds; what is wrong with a schema is an answer, too."""
    try:
        answer: dict[str, Any] = {"scores": [_scored(*task) for task in json.load(sys.stdin)]}
    except (SchemaError, Unresolvable) as error:
        answer = {"fault": str(getattr(error, "message", error))[:300]}
    sys.stdout.write(json.dumps(answer))


def _scored(output: str, expected: str | None, checks: list[Any]) -> tuple[float, list[str]]:
    read = [Check.model_validate(check) for check in checks]
    return score_output(output, expected, read, is_met=_is_met)


def _is_met(check: Check, output: str, value: str | dict[str, Any]) -> bool:
    if isinstance(value, dict):
        return _fits(output, value)
    if check.kind == "regex":
        return re.search(value, output) is not None
    return is_met(check, output, value)


def _fits(output: str, schema: dict[str, Any]) -> bool:
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(
        schema, registry=Registry()
    )  # what it refers to is not fetched
    try:
        return bool(validator.is_valid(json.loads(output)))
    except (json.JSONDecodeError, RecursionError):
        return False


if __name__ == "__main__":
    main()
