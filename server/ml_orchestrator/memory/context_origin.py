"""Where the shared context came from: in which session of a client, and by which tool.

It stands beside its revision, since a release that knows nothing of it leaves what it finds.
"""

import json

from ml_orchestrator.memory.requests import Origin

__all__ = ["origin_of_context", "read_origin"]


def origin_of_context(revision: int, origin: Origin) -> str:
    """Return what is stored beside a revision."""
    return json.dumps({"revision": revision, "session": origin.session, "tool": origin.tool})


def read_origin(stored: str | None, revision: int) -> dict[str, str | None]:
    """Return session and tool of a revision; both None if what is stored is of another one.

    >>> read_origin(origin_of_context(2, Origin("context_update", "claude/1")), 2)
    {'session': 'claude/1', 'tool': 'context_update'}
    >>> read_origin(origin_of_context(2, Origin("context_update", "claude/1")), 3)
    {'session': None, 'tool': None}
    """
    known = json.loads(stored) if stored else {}
    is_of_it = known.get("revision") == revision
    return {name: known.get(name) if is_of_it else None for name in ("session", "tool")}
