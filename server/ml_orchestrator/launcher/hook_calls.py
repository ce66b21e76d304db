"""Calls of hooks that are programs: who waits for which answer of the server."""

from __future__ import annotations

import itertools
import queue
from typing import TYPE_CHECKING

from ml_orchestrator.launcher.manifest import is_modern
from ml_orchestrator.launcher.wire import Message, id_key, meta_of, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HookCalls"]

_PREFIX = "hook_"


class HookCalls:
    """The calls that are under way; ``come_by_tool`` once the client itself calls our hooks."""

    def __init__(self) -> None:
        self.come_by_tool = False
        self._numbers = itertools.count(1)
        self._waiting: dict[bytes, queue.SimpleQueue[bytes]] = {}

    def note(self, message: Message) -> None:
        """Look at what the client says: where it calls hooks, programs have nothing to do."""
        if message.get("method") == "tools/call":
            name = params_of(message).get("name")
            self.come_by_tool |= isinstance(name, str) and name.startswith(_PREFIX)

    def begin(
        self, opening: Message | None, tool: str, arguments: Mapping[str, str]
    ) -> tuple[Message, queue.SimpleQueue[bytes]]:
        """Return a call in the era that the client opened, and where its answer will be."""
        params: Message = {"name": tool, "arguments": dict(arguments)}
        if opening is not None and is_modern(opening):
            params["_meta"] = {k: v for k, v in meta_of(opening).items() if k != "progressToken"}
        identifier = f"ml-orchestrator-hook-{next(self._numbers)}"
        answer: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting[id_key(identifier)] = answer
        return {"id": identifier, "method": "tools/call", "params": params}, answer

    def settle(self, key: bytes, line: bytes) -> bool:
        """Give a response to the hook that waits for it; return whether it was a hook's."""
        answer = self._waiting.pop(key, None)
        if answer is None:
            return False
        answer.put(line)
        return True
