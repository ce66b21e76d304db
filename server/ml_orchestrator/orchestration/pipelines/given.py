"""What a step was given, short enough to be looked at: references replaced, long values cut."""

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.logins import STARS, without_logins
from ml_orchestrator.orchestration.pipelines.models import StepSpec
from ml_orchestrator.orchestration.pipelines.references import Scope, resolved
from ml_orchestrator.text import cut

__all__ = ["MOST_ITEMS", "inputs_shown"]

MOST_ITEMS = 10
MOST_TEXT = 300  # characters of one input, as JSON
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # accessToken, DBPassword
_SECRET_NAME = re.compile(
    r"(?:.*_)?(?:passwords?|passwd|pwd|passphrase|secrets?|token|credentials?|authorization"
    r"|(?:api|private|secret|access)_?key)"
)
_LONGEST_ADDRESS = 2_000


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
    shown = _starred(name, value)
    if isinstance(shown, str):
        return cut(shown, MOST_TEXT)
    text = json.dumps(shown, ensure_ascii=False)
    return shown if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "…"


def _starred(name: str, value: Any) -> Any:
    """Return a value with stars in place of what stands under the name of a secret, at any depth.

    What follows once the longest text that is shown is full is left away unread.
    """
    if value is not None and _is_secret(name):
        return STARS
    if isinstance(value, str):
        return without_logins(value[: MOST_TEXT + _LONGEST_ADDRESS])
    if isinstance(value, Mapping):
        return {key: _starred(str(key), each) for key, each in islice(value.items(), MOST_TEXT)}
    if isinstance(value, list | tuple):
        return [_starred("", each) for each in islice(value, MOST_TEXT)]
    return value


def _is_secret(name: str) -> bool:
    words = re.sub(r"[\W_]+", "_", _HUMP.sub("_", name)).strip("_").lower()
    return _SECRET_NAME.fullmatch(words) is not None
