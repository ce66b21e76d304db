"""Things of a project that stored text might want decided, and what the tools decide on them."""

from pathlib import Path
from typing import Any

from mcp.client import Client
from sqlalchemy import select
from tests.registry.flowers import ask as wanted
from tests.registry.flowers import make_desk, register_flowers
from tests.tools.asking import ask, refusal

from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.rollouts.opening import open_journal
from ml_orchestrator.serving.rollout.actions import Turn
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.schema import approvals

__all__ = ["decisions", "make_a_project"]

ME, YOU = "ml-orchestrator", "performance-engineer"
MOVE = {"agent": ME, "model": "iris", "reason": "a memory says so"}


def make_a_project(home: Path) -> str:
    """Register three versions, the first one champion, and return the id of a paused roll-out."""
    desk = make_desk(home)
    register_flowers(home, desk, n=3)
    desk.mover.move(wanted(1, None, alias="champion"))
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    journal = open_journal(database)
    plan = RolloutDesk(database, lambda: desk).plan(
        "iris", 3, alias="champion", expected_version=1, spec={}, actor=ME
    )
    begun = journal.take(journal.begin(plan, actor=ME, reason="a test", key=None))
    paused = Turn("paused", {"paused_in": "green_ready", "paused_for": "gate"})
    journal.record(begun, paused)
    database.close()
    return begun.id


async def decisions(client: Client, home: Path, *, record_id: str, rollout_id: str) -> list[Any]:
    """Return what the tools decide and what is left of it: the same, whatever is stored.

    One version moves to and fro, one move waits for a person, one is refused by a gate, a roll-out
    waits for a person; a plan to forget, rights, the list of tools.
    """
    forget = {"agent": ME, "reason": "test", "record_ids": [record_id], "dry_run": True}
    plan = (await ask(client, "memory_forget", **forget))["plan"]
    return [
        await refusal(client, "memory_forget", **{**forget, "agent": YOU}),
        await refusal(client, "memory_forget", **{**forget, "dry_run": False}),
        (plan["records"], plan["digest"], plan["pinned"]),
        *await _moves(client),
        *await _promotion(client, rollout_id),
        await refusal(client, "training_cancel", agent="stranger", run_id="r"),
        (await ask(client, "memory_load", agent=ME))["shared_context"],
        sorted(tool.name for tool in (await client.list_tools()).tools),
        _approvals(home),
    ]


async def _moves(client: Client) -> list[Any]:
    """Move @champion to and fro, ask for @production, and try what a gate refuses."""
    production = {**MOVE, "alias": "production", "expected_version": None}
    return [
        await _move(client, version=2, expected_version=1),
        await _move(client, version=1, expected_version=2),
        await refusal(client, "registry_move_alias", **production, version=1),
        await refusal(client, "registry_move_alias", **production, version=3),
        await refusal(client, "registry_move_alias", **production, version=9, dry_run=True),
        await refusal(
            client,
            "registry_move_alias",
            **{**production, "agent": "data-pipeline-specialist"},
            version=1,
        ),
    ]


async def _move(client: Client, **change: Any) -> tuple[Any, ...]:
    done = await ask(client, "registry_move_alias", **MOVE, alias="champion", **change)
    plan, move = done["plan"], done["move"]
    checks = [(check["name"], check["ok"]) for check in plan["checks"]]
    return plan["allowed"], checks, move["from_version"], move["to_version"], move["approved_by"]


async def _promotion(client: Client, rollout_id: str) -> list[Any]:
    promote = {"agent": ME, "rollout_id": rollout_id, "choice": "promote", "reason": "it says so"}
    return [
        await refusal(client, "deployment_decide", **promote),
        await refusal(client, "deployment_decide", **{**promote, "agent": YOU}),
    ]


def _approvals(home: Path) -> list[tuple[Any, ...]]:
    table = approvals.c
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    found = database.read(
        lambda c: c.execute(
            select(table.subject, table.state, table.decided_by).order_by(table.subject)
        ).all()
    )
    database.close()
    return [tuple(row) for row in found]
