"""What the server answers to handshakes and lists, known without starting it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ml_orchestrator.launcher.wire import Message, id_key, meta_of, params_of, result

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LISTS", "MODERN", "Manifest", "acknowledged_id", "is_modern"]

MODERN = "2026-07-28"
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
_META = "io.modelcontextprotocol/"
_OF_EACH_RESULT = ("resultType", "_meta")  # the rest is about lists
_FILTERS = ("toolsListChanged", "promptsListChanged", "resourcesListChanged")


def is_modern(message: Message) -> bool:
    """Whether a request carries the whole envelope of the modern era."""
    meta = meta_of(message)
    return meta.get(_META + "protocolVersion") == MODERN and isinstance(
        meta.get(_META + "clientCapabilities"), dict
    )


class Manifest:
    """Answers from the generated file ``bin/manifest.json``.

    Args:
        content: ``initialize`` and ``discover`` (results), ``lists`` (results by method, as in
            the handshake era), ``modern`` (what results of the modern era have besides) and
            ``handshake_versions`` (oldest first).
        reads_only: Offer only tools that read, as the server does in this mode.
        lists_hold: Whether the lists are true; not so where plug-ins add to them.
    """

    def __init__(
        self, content: dict[str, Any], *, reads_only: bool = False, lists_hold: bool = True
    ) -> None:
        self._initialize: Message = content["initialize"]
        self._discover: Message = content["discover"]
        self._versions: list[str] = content["handshake_versions"]
        self._lists: dict[str, Message] = content["lists"] if lists_hold else {}
        self._modern: Message = content["modern"]
        if reads_only and lists_hold:
            tools = [t for t in self._lists["tools/list"]["tools"] if _reads_only(t)]
            self._lists = {**self._lists, "tools/list": {"tools": tools}}

    @classmethod
    def read(cls, path: Path, **options: bool) -> Manifest:
        """Read the generated file."""
        return cls(json.loads(path.read_bytes()), **options)

    def answer(self, message: Message) -> Message | None:
        """Return the whole answer to a request; None where the server has to be asked."""
        method, identifier = message.get("method"), message.get("id")
        if identifier is None:
            return None
        if method == "initialize":
            return self._handshake(message)
        if method == "ping" and not is_modern(message):
            return result(identifier, {})
        if method == "server/discover" and is_modern(message):
            return result(identifier, self._discover)
        if method == "subscriptions/listen" and is_modern(message):
            return _acknowledgement(message)
        return self._list(message)

    def extras(self, message: Message) -> Message:
        """Return what the result of a call has besides in the era that the call is of."""
        if not is_modern(message):
            return {}
        return {name: self._modern[name] for name in _OF_EACH_RESULT if name in self._modern}

    def _handshake(self, message: Message) -> Message | None:
        params = params_of(message)
        asked = params.get("protocolVersion")
        if not isinstance(asked, str) or not {"capabilities", "clientInfo"} <= params.keys():
            return None
        version = asked if asked in self._versions else self._versions[-1]
        return result(message["id"], {**self._initialize, "protocolVersion": version})

    def _list(self, message: Message) -> Message | None:
        listed = self._lists.get(str(message.get("method")))
        if listed is None or params_of(message).get("cursor") is not None:
            return None
        if _META + "protocolVersion" not in meta_of(message):
            return result(message["id"], listed)
        return result(message["id"], {**listed, **self._modern}) if is_modern(message) else None


def acknowledged_id(line: bytes) -> bytes | None:
    """Return which listen request a server's line acknowledges, as ``id_key`` gives it."""
    if b"notifications/subscriptions/acknowledged" not in line[:100]:
        return None
    return id_key(meta_of(json.loads(line)).get(_META + "subscriptionId"))


def _acknowledgement(message: Message) -> Message | None:
    asked = params_of(message).get("notifications")
    if not isinstance(asked, dict):
        return None
    honoured: Message = {name: True for name in _FILTERS if asked.get(name) is True}
    if asked.get("resourceSubscriptions"):
        honoured["resourceSubscriptions"] = asked["resourceSubscriptions"]
    params = {"_meta": {_META + "subscriptionId": message["id"]}, "notifications": honoured}
    return {"method": "notifications/subscriptions/acknowledged", "params": params}


def _reads_only(tool: Message) -> bool:
    return bool(tool.get("annotations", {}).get("readOnlyHint"))
