"""Calls of hooks that are programs: who waits for which answer of the server."""

from __future__ import annotations

import itertools
import queue
from typing import TYPE_CHECKING

from ml_orchestrator.launcher.hook_place import FIELDS
from ml_orchestrator.launcher.manifest import is_modern
from ml_orchestrator.launcher.wire import Message, id_key, meta_of, params_of, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HookCalls"]


class HookCalls:
    """The calls under way; ``come_by_tool`` once the client called a hook itself and was answered.

    A call of a tool that is none of ours, or that the server refuses, says nothing about hooks.
    """

    def __init__(self) -> None:
        self.come_by_tool = False
        self._numbers = itertools.count(1)
        self._waiting: dict[bytes, queue.SimpleQueue[bytes]] = {}
        self._of_client: set[bytes] = set()  # its calls of hooks that are not answered

    def note(self, message: Message) -> None:
        """Look at what the client says: where it calls hooks, programs have nothing to do."""
        params = params_of(message)
        if message.get("method") == "tools/call" and "id" in message:
            name = params.get("name")
            if isinstance(name, str) and name in FIELDS:
                self._of_client.add(id_key(message["id"]))
        elif message.get("method") == "notifications/cancelled":
            self._of_client.discard(id_key(params.get("requestId")))

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
        if key in self._of_client:
            self._of_client.discard(key)
            self.come_by_tool |= _succeeded(parse(line))
        answer = self._waiting.pop(key, None)
        if answer is None:
            return False
        answer.put(line)
        return True


def _succeeded(response: Message) -> bool:
    result = response.get("result")
    return isinstance(result, dict) and not result.get("isError", False)
