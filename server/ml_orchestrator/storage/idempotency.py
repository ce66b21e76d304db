"""Answering a retried request with its first result."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import idempotency

__all__ = ["once"]


def once(
    connection: Connection,
    *,
    scope: str,
    key: str | None,
    request: Mapping[str, Any],
    act: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Return what ``act`` returned the first time ``key`` was used in ``scope``.

    Runs inside the caller's write transaction, so the result is remembered if and only if
    the work is committed. Without a key, ``act`` simply runs.

    Raises:
        ConflictError: the key was used before for a different request.
    """
    if key is None:
        return act()
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    table = idempotency
    known = connection.execute(
        select(table.c.request_digest, table.c.result).where(
            table.c.scope == scope, table.c.key == key
        )
    ).first()
    if known is None:
        result = act()
        connection.execute(
            insert(table).values(
                scope=scope,
                key=key,
                request_digest=digest,
                result=json.dumps(result),
                created_at=timestamp(),
            )
        )
        return result
    if known.request_digest != digest:
        raise ConflictError(
            f"Idempotency key {key!r} was used before with other content. "
            "Send the same content to repeat a request, or a new key for a new one."
        )
    earlier: dict[str, Any] = json.loads(known.result)
    return earlier
