"""Calls of hooks: which need no server, and of programs, who waits for which answer of it."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from typing import TYPE_CHECKING

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.hook_answers import LONGEST, without_server
from ml_orchestrator.launcher.hook_place import FIELDS
from ml_orchestrator.launcher.manifest import is_modern
from ml_orchestrator.launcher.wire import (
    Message,
    error,
    id_key,
    meta_of,
    params_of,
    parse,
    tool_result,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HookCalls", "answer_alone"]


class HookCalls:
    """The calls under way, those of programs and those that the client makes itself.

    A call of a tool that is none of ours, or that the server refuses, says nothing about hooks.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._come_by_tool = False
        self._numbers = itertools.count(1)
        self._waiting: dict[bytes, queue.SimpleQueue[bytes]] = {}
        self._of_client: set[bytes] = set()  # its calls of hooks that are not answered

    def note(self, message: Message) -> None:
        """Look at what the client says: where it calls hooks, programs have nothing to do."""
        params = params_of(message)
        if message.get("method") == "tools/call" and "id" in message:
            name = params.get("name")
            if isinstance(name, str) and name in FIELDS:
                with self._changed:
                    self._of_client.add(id_key(message["id"]))
        elif message.get("method") == "notifications/cancelled":
            self._end_of_client(id_key(params.get("requestId")), has_succeeded=False)

    def come_by_tool(self, limit_s: float) -> bool:
        """Return whether the client has called a hook itself, and was answered.

        Such a call under way is waited for, so that one hook does not do what both kinds do.

        Raises:
            TimeoutError: there was one all the time.
        """
        with self._changed:
            if not self._changed.wait_for(self._is_known, limit_s):
                raise TimeoutError
            return self._come_by_tool

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
            self._end_of_client(key, has_succeeded=_succeeded(parse(line)))
        answer = self._waiting.pop(key, None)
        if answer is None:
            return False
        answer.put(line)
        return True

    def _end_of_client(self, key: bytes, *, has_succeeded: bool) -> None:
        with self._changed:
            self._of_client.discard(key)
            self._come_by_tool |= has_succeeded
            self._changed.notify_all()

    def _is_known(self) -> bool:
        return self._come_by_tool or not self._of_client


def _succeeded(response: Message) -> bool:
    result = response.get("result")
    return isinstance(result, dict) and not result.get("isError", False)


def answer_alone(message: Message, extras: Message) -> Message | None:
    """Return the response to a hook's call that depends on its input alone.

    It is None where the server has to be asked, who also judges calls that are not well formed.
    """
    found = _hook_in(message)
    if found is None:
        return None
    try:
        answer = without_server(*found)
        text = json.dumps(answer)
    except InvalidInputError as refused:
        return error(message, str(refused), extras)
    except RecursionError:  # nested too deep to be written
        return None
    return None if answer is None else tool_result(message, text, extras, is_error=False)


def _hook_in(message: Message) -> tuple[str, dict[str, str]] | None:
    """Return the hook that a message calls and what it gives; None if it is not well formed."""
    if message.get("method") != "tools/call" or "id" not in message:
        return None
    tool, arguments = (params_of(message).get(name) for name in ("name", "arguments"))
    fields = FIELDS.get(tool) if isinstance(tool, str) else None
    if fields is None or not isinstance(arguments, dict):
        return None
    if not {*fields} - {"session_id"} <= arguments.keys() <= {*fields}:  # hooks of before lack it
        return None
    is_text = all(isinstance(value, str) for value in arguments.values())
    if not is_text or any(len(arguments.get(name, "")) > most for name, most in LONGEST.items()):
        return None
    return str(tool), arguments
