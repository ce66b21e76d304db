"""How large the values of a run may become: a short text can refer to one long output often."""

import json
from typing import Any

from ml_orchestrator.errors import InvalidInputError

__all__ = ["MAX_BYTES", "check_size"]

MAX_BYTES = 4_000_000  # of the inputs of one step, and of the result of a run


def check_size(value: Any, what: str) -> None:
    """Refuse a value that has more than ``MAX_BYTES`` as JSON; it is never written out whole.

    Raises:
        InvalidInputError: it is larger; the message says what to do.
    """
    size = 0
    for part in json.JSONEncoder().iterencode(value):
        size += len(part)
        if size > MAX_BYTES:
            raise InvalidInputError(
                f"{what} would have more than {MAX_BYTES:,} bytes. Refer to the fields that are "
                "needed in place of whole outputs, or pass paths of files."
            )
