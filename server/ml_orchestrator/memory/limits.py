"""What memory may hold, by whichever door it comes."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.memory.models import Insight, Knowledge, Task
from ml_orchestrator.records import Record
from ml_orchestrator.text import json_bytes, unspelled

__all__ = ["MAX_CONTEXT_BYTES", "check_context", "refuse_beyond_limits"]

MAX_CONTEXT_BYTES = 50_000
GIVEN: Mapping[str, type[Record]] = {"task": Task, "insight": Insight, "knowledge": Knowledge}
_BEYOND = ("string_too_long", "too_long", "less_than_equal", "greater_than_equal")


def check_context(content: Mapping[str, Any]) -> None:
    """Refuse a shared context that is too large for everybody to read.

    Raises:
        InvalidInputError: the message says what to do instead.
    """
    if json_bytes(content, "The context") > MAX_CONTEXT_BYTES:
        raise InvalidInputError(
            f"The context is larger than {MAX_CONTEXT_BYTES:,} bytes. Keep what everybody needs, "
            "and put the rest into memory_save or a file."
        )


def refuse_beyond_limits(kind: str, payload: Mapping[str, Any]) -> None:
    """Refuse a payload with longer texts or lists, or larger numbers, than the tools take.

    Stored text has its hidden characters spelled out; each counts as the one it stands for, also
    where a writer typed such a spelling, which looks the same. So the rule is not exact: a text
    of nothing but these may be up to ten times as long as the tools take.

    Raises:
        InvalidInputError: the message names each field.
    """
    try:
        GIVEN[kind].model_validate(_unspelled(payload))
    except ValidationError as error:
        if beyond := [fault for fault in error.errors() if fault["type"] in _BEYOND]:
            raise InvalidInputError(f"A {kind} cannot be stored: {faults_of(beyond)}.") from error


def _unspelled(part: Any) -> Any:
    if isinstance(part, str):
        return unspelled(part)
    if isinstance(part, Mapping):
        return {key: _unspelled(value) for key, value in part.items()}
    return [_unspelled(value) for value in part] if isinstance(part, list) else part
