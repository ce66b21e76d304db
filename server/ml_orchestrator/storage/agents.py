"""The agents that have been seen in this project."""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, insert, select

from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.message_rows import add_live_broadcasts
from ml_orchestrator.storage.schema import agents

__all__ = ["is_known_agent", "known_agents", "note_agent"]

_IS_KNOWN = select(agents.c.name).where(agents.c.name == bindparam("name"))


def note_agent(connection: Connection, name: str, *, now: str | None = None) -> None:
    """Remember that ``name`` takes part, and give it what was sent to everybody, once."""
    if not is_known_agent(connection, name):
        now = now or timestamp()
        connection.execute(insert(agents).values(name=name, first_seen_at=now))
        add_live_broadcasts(connection, name, now=now)


def is_known_agent(connection: Connection, name: str) -> bool:
    """Whether ``name`` has taken part before."""
    return connection.execute(_IS_KNOWN, {"name": name}).first() is not None


def known_agents(connection: Connection, shipped: Iterable[str] = ()) -> list[str]:
    """Return the names of the shipped agents and of those seen so far, sorted."""
    return sorted({*shipped, *connection.execute(select(agents.c.name)).scalars()})
