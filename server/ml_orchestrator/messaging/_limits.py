"""What a message may hold, by whichever door it comes."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import near
from ml_orchestrator.messaging.models import (
    DELEGATION,
    MAX_CONTENT_CHARACTERS,
    MAX_METADATA_BYTES,
    MAX_TARGETS,
    PRIORITIES,
    RESULT,
    TYPE_PATTERN,
    TYPE_WORDS,
    WITHDRAWAL,
    Priority,
)
from ml_orchestrator.text import json_bytes

__all__ = ["check_message", "check_priority", "check_sense", "priority_of"]

_TYPE = re.compile(TYPE_PATTERN)
_WORK = (DELEGATION, RESULT, WITHDRAWAL)
_MISSPELT = 0.9  # alike, from 0 to 1, by difflib: a letter or two are wrong


def check_message(
    message_type: str, content: str, metadata: Mapping[str, Any], n_targets: int
) -> None:
    """Refuse what no reader could be given.

    Raises:
        InvalidInputError: the message says which limit, and what to do.
    """
    if _TYPE.fullmatch(message_type) is None:
        raise InvalidInputError(
            f"{message_type[:80]!r} is no message_type, which {TYPE_WORDS}. Nothing was sent."
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


def check_sense(message_type: str, content: str) -> None:
    """Refuse what says nothing, and a misspelt type of work, which would hand nothing over.

    Raises:
        InvalidInputError: the message says which, and what to do.
    """
    if not content.strip():
        raise InvalidInputError("content is blank. Say what is to be read. Nothing was sent.")
    if message_type in _WORK:
        return
    if meant := difflib.get_close_matches(message_type, _WORK, n=1, cutoff=_MISSPELT):
        raise InvalidInputError(
            f"message_type is {message_type!r}; did you mean {meant[0]!r}? Only that is taken for "
            "work. A type of your own needs a name that is less like it. Nothing was sent."
        )


def check_priority(given: Priority | None, metadata: Mapping[str, Any]) -> None:
    """Refuse ``priority`` in metadata that is none, where nothing else says how soon to read it.

    Beside a priority that was given it is data like the rest; null is as if it were left out.

    Raises:
        InvalidInputError: the message lists those that there are.
    """
    said = metadata.get("priority")
    if given is None and said is not None and said not in PRIORITIES:
        raise InvalidInputError(
            f"No priority {str(said)[:80]!r}{near(str(said)[:80], PRIORITIES)} in metadata; known: "
            f"{', '.join(PRIORITIES)}. Nothing was sent."
        )


def priority_of(given: Priority | None, metadata: Mapping[str, Any]) -> Priority:
    """Return how soon to read a message: what was given, else what its metadata say, else medium.

    In ``metadata`` the origin had it.

    Raises:
        InvalidInputError: the two differ.
    """
    said = next((each for each in PRIORITIES if each == metadata.get("priority")), None)
    if given and said and given != said:
        raise InvalidInputError(
            f"priority is {given!r} and metadata.priority {said!r}. Give one of them, or the same "
            "twice. Nothing was sent."
        )
    return given or said or "medium"


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    if json_bytes(metadata, "metadata", hint=" Nothing was sent.") > MAX_METADATA_BYTES:
        raise InvalidInputError(
            f"metadata is larger than {MAX_METADATA_BYTES:,} bytes. Put long text in content, "
            "or name a file or a run_id instead."
        )
