"""Histories that only grow, on SQLite and Postgres."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Update, delete, insert, select, update

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import alias_moves, deployment_events, deployments

AT = "2026-01-01T00:00:00+00:00"
MOVE = {
    "id": "m1", "model": "iris", "alias": "stable", "from_version": None, "to_version": 1,
    "actor": "ada", "reason": "why", "evidence": "", "state": "intended", "created_at": AT,
    "host": "here",
}  # fmt: skip
ROLL_OUT = {
    "id": "r1", "model": "iris", "alias": "stable", "version": 1, "actor": "ada", "spec": "{}",
    "state": "pending", "progress": "{}", "epoch": 0, "is_live": 1, "created_at": AT,
    "updated_at": AT,
}  # fmt: skip
EVENT = {"deployment_id": "r1", "at": AT, "kind": "state", "actor": "ada", "detail": "pending"}


def settle(**more: Any) -> Update:
    return update(alias_moves).values(**{"state": "applied", "settled_at": AT, **more})


def test_an_intent_is_settled_once_and_nothing_else_is_changed_or_deleted(
    state_url: str, tmp_path: Path
) -> None:
    database = open_database(state_url, tmp_path)
    write(database, insert(alias_moves).values(**MOVE))
    refused(database, settle(reason="another"), delete(alias_moves))
    write(database, settle(event_seq=7))
    refused(
        database, settle(), settle(state="intended"), settle(event_seq=8), delete(alias_moves),
        update(alias_moves).values(actor="bob"),
    )  # fmt: skip

    (row,) = database.read(lambda c: c.execute(select(alias_moves)).mappings().all())
    assert {name: row[name] for name in MOVE} == {**MOVE, "state": "applied"}
    assert row["event_seq"] == 7
    database.close()


def test_what_happened_in_a_roll_out_stays(state_url: str, tmp_path: Path) -> None:
    database = open_database(state_url, tmp_path)
    write(database, insert(deployments).values(**ROLL_OUT))
    write(database, insert(deployment_events).values(**EVENT))
    write(database, update(deployments).values(state="verifying"))
    refused(
        database, update(deployment_events).values(detail="x"), delete(deployment_events),
        update(deployment_events).values(EVENT),
    )  # fmt: skip

    (row,) = database.read(lambda c: c.execute(select(deployment_events)).mappings().all())
    assert {name: row[name] for name in EVENT} == EVENT
    database.close()


def write(database: Database, statement: Any) -> None:
    def act(connection: Connection) -> None:
        connection.execute(statement)

    database.write(act)


def refused(database: Database, *statements: Any) -> None:
    for statement in statements:
        with pytest.raises(UnavailableError, match="is a history; nothing in it is changed"):
            write(database, statement)
