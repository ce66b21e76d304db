"""Answering a retried request with its first result."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import idempotency

__all__ = ["forget_keys", "n_old_keys", "old_keys", "once"]


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


def n_old_keys(connection: Connection, limit: str) -> int:
    """Return how many keys were first used before ``limit``, ISO 8601 UTC."""
    query = select(func.count()).where(idempotency.c.created_at < limit)
    return int(connection.execute(query).scalar_one())


def old_keys(connection: Connection, limit: str, *, at_most: int) -> list[tuple[str, str]]:
    """Return scope and key of the oldest that were first used before ``limit``."""
    table = idempotency
    query = select(table.c.scope, table.c.key).where(table.c.created_at < limit)
    rows = connection.execute(query.order_by(table.c.created_at).limit(at_most)).all()
    return [(row.scope, row.key) for row in rows]


def forget_keys(connection: Connection, keys: Sequence[tuple[str, str]]) -> None:
    """Forget keys; a request that repeats one of them is a new one."""
    table = idempotency
    one = delete(table).where(
        table.c.scope == bindparam("of_scope"), table.c.key == bindparam("of_key")
    )
    connection.execute(one, [{"of_scope": scope, "of_key": key} for scope, key in keys])
