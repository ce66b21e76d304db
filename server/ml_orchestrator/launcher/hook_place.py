"""Where hooks that are programs reach the launcher of their session, and what they may call.

Read by both sides, so it imports next to nothing.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # that of typing, whose import takes longer than the rest
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FIELDS", "MOST_BYTES", "check_private", "socket_of"]

# The hidden tools, and what of a hook's input each is given; as in hooks/hooks.json.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "hook_start": ("agent_type", "agent_id"),
    "hook_prompt": ("agent_type", "session_id"),
    "hook_batch": ("agent_type", "agent_id", "session_id"),
    "hook_bind": ("agent_type", "tool_input"),
    "hook_delegate": ("agent_type", "agent_id", "tool_input"),
    "hook_saved": ("agent_id",),
    "hook_stop": ("agent_type", "agent_id", "stop_hook_active", "last_assistant_message"),
}
MOST_BYTES = 8_000_000  # of a request; a tool's arguments may have 1 MB, escaped they have more


def socket_of(client: int, environ: Mapping[str, str]) -> str:
    """Return the path of the socket of a client's launcher.

    It is short, as paths of sockets must be, and in a folder of the user's own.

    Args:
        client: Process id of the client; the launcher and the hooks are its children.
        environ: Of the launcher or the hook, which both have from the client.
    """
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return f"{runtime}/ml-orchestrator/{client}.sock"
    return f"{environ.get('TMPDIR') or '/tmp'}/ml-orchestrator-{os.getuid()}/{client}.sock"  # noqa: S108 private, see check_private


def check_private(folder: str) -> None:
    """Refuse a folder that somebody else made or may write: theirs could be the socket in it.

    Raises:
        PermissionError: it is not this user's alone.
        OSError: it is not there.
    """
    found = os.lstat(folder)
    is_private = not stat.S_IMODE(found.st_mode) & 0o077
    if not (stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and is_private):
        raise PermissionError(
            f"{folder} is not a folder of this user alone (mode 0700). Remove it, or set "
            "XDG_RUNTIME_DIR to a private folder."
        )
