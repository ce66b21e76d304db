"""What a step was given, short enough to be looked at: references replaced, long values cut."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.pipelines.models import StepSpec
from ml_orchestrator.orchestration.pipelines.references import Scope, resolved
from ml_orchestrator.text import cut

__all__ = ["MOST_ITEMS", "inputs_shown"]

MOST_ITEMS = 10
MOST_TEXT = 300  # characters of one input, as JSON
STARS = "***"
_NAMES = r"(?:[\w-]*[_-])?(?:password|passwd|secret|token|api_?key|credentials?)"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_SECRET = re.compile(rf'("{_NAMES}":\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE)
_IN_URL = re.compile(r'://[^/\s:@"]*:[^/\s@"]*@')


def inputs_shown(step: StepSpec, scope: Scope, items: list[Any] | None) -> dict[str, Any] | None:
    """Return the inputs of a step, of the first items of one that runs for several.

    It follows from the plan and the outputs on record, so that it is known as long as they are.

    Args:
        step: as it was planned.
        scope: what references stood for when it began.
        items: what it runs for; None if it runs once.

    Returns:
        The inputs, or ``{"items": [...]}``; None where they could not be made out, which the
        step's error says.
    """
    try:
        if items is None:
            return _shown(step.with_, scope)
        scopes = [Scope(scope.params, scope.outputs, scope.run_id, item) for item in items]
        return {"items": [_shown(step.with_, each) for each in scopes[:MOST_ITEMS]]}
    except InvalidInputError:
        return None


def _shown(inputs: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    return {name: _short(name, value) for name, value in resolved(inputs, scope).items()}


def _short(name: str, value: Any) -> Any:
    """Return a value without what looks like a secret; a long one as the beginning of its JSON."""
    if isinstance(value, str):
        return STARS if _SECRET_NAME.fullmatch(name) else cut(_unnamed(value), MOST_TEXT)
    text = ""
    for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += part
        if len(text) > MOST_TEXT:
            return _SECRET.sub(rf'\1"{STARS}"', _unnamed(text))[:MOST_TEXT] + "…"
    return json.loads(_SECRET.sub(rf'\1"{STARS}"', _unnamed(text)))


def _unnamed(text: str) -> str:
    """Return a text without the names and passwords in its addresses."""
    return _IN_URL.sub(f"://{STARS}@", text)
