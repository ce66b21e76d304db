"""Files that memory is read from: what is none of ours is refused in words."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory._given import MALFORMED, Placed, said_of
from ml_orchestrator.memory.origin_files import OriginFile, read_agent_file, read_context_file

__all__ = ["FORMAT", "VERSION", "read_file"]

FORMAT = "ml-orchestrator-memory"
VERSION = 1  # of exports; each has said it since the first release
_TAKEN = (
    "Taken are a file that `memory export` wrote, an agent's file of the origin (with agent_name) "
    "and a shared_context.json (with project_context or inter_agent_messages)."
)


def read_file(file: Path) -> tuple[OriginFile, list[Placed]]:
    """Return what stands in a file of memory, and the counts of an export's records that went.

    Raises:
        InvalidInputError: it cannot be read, is not JSON or no file of memory, or is an export
            of another version.
    """
    content = _content_of(file)
    if content.get("format") == FORMAT:
        return _read_export(content)
    try:
        if "inter_agent_messages" in content or "project_context" in content:
            return read_context_file(content), []
        if isinstance(content.get("agent_name"), str):
            return read_agent_file(content), []
    except InvalidInputError:
        raise
    except MALFORMED as error:
        raise InvalidInputError(f"{said_of(error)}. {_TAKEN}") from error
    raise InvalidInputError(f"It is JSON, but no file of memory. {_TAKEN}")


def _content_of(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidInputError(f"It cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"It is not UTF-8 text. {_TAKEN}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInputError(f"It is not JSON ({place}: {error.msg}). {_TAKEN}") from error
    except RecursionError as error:
        raise InvalidInputError(f"It is nested too deeply. {_TAKEN}") from error
    except ValueError as error:  # a whole number of more digits than Python converts
        raise InvalidInputError(f"It holds a number of too many digits. {_TAKEN}") from error
    return content if isinstance(content, dict) else {}


def _read_export(content: Mapping[str, Any]) -> tuple[OriginFile, list[Placed]]:
    version = content.get("version")
    if version is None:
        raise InvalidInputError(
            "It is an export that does not say its version, as each does "
            f'("version": {VERSION}). Export it again.'
        )
    if version != VERSION or isinstance(version, bool):
        raise InvalidInputError(
            f"It is an export of version {version!r:.40}; this release reads version {VERSION}. "
            "Update ml-orchestrator, or export with this release."
        )
    records = content.get("records")
    if not isinstance(records, list):
        raise InvalidInputError("It is an export without a list of records. Export it again.")
    read = OriginFile(_placed("records", records), context=content.get("shared_context"))
    read.cells = _listed(read, content, "collaborations")
    return read, _listed(read, content, "removed")


def _listed(read: OriginFile, content: Mapping[str, Any], name: str) -> list[Placed]:
    entries = content.get(name, [])
    if isinstance(entries, list):
        return _placed(name, entries)
    read.skipped.append(f"{name}: it is no list")
    return []


def _placed(name: str, entries: Sequence[Any]) -> list[Placed]:
    return [(f"{name}[{number}]", entry) for number, entry in enumerate(entries)]
