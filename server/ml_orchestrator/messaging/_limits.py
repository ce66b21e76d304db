"""What a message may hold, by whichever door it comes."""

import re
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.messaging.models import (
    MAX_CONTENT_CHARACTERS,
    MAX_METADATA_BYTES,
    MAX_TARGETS,
    TYPE_PATTERN,
)
from ml_orchestrator.text import json_bytes

__all__ = ["check_message"]

_TYPE = re.compile(TYPE_PATTERN)


def check_message(
    message_type: str, content: str, metadata: Mapping[str, Any], n_targets: int
) -> None:
    """Refuse what no reader could be given.

    Raises:
        InvalidInputError: the message says which limit, and what to do.
    """
    if _TYPE.fullmatch(message_type) is None:
        raise InvalidInputError(
            f"{message_type[:80]!r} is no message_type. Use small letters, digits and '_', 63 at "
            "most, such as 'insight'. Nothing was sent."
        )
    if not 1 <= len(content) <= MAX_CONTENT_CHARACTERS:
        raise InvalidInputError(
            f"content has {len(content):,} characters; from 1 to {MAX_CONTENT_CHARACTERS:,} are "
            "taken. Put long text in a file and name it. Nothing was sent."
        )
    if n_targets > MAX_TARGETS:
        raise InvalidInputError(
            f"{n_targets} target_agents; at most {MAX_TARGETS}. Leave them out to reach everybody."
        )
    _check_metadata(metadata)


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    if json_bytes(metadata, "metadata", hint=" Nothing was sent.") > MAX_METADATA_BYTES:
        raise InvalidInputError(
            f"metadata is larger than {MAX_METADATA_BYTES:,} bytes. Put long text in content, "
            "or name a file or a run_id instead."
        )
