"""The agents that have been seen in this project."""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, insert, select

from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import agents

__all__ = ["known_agents", "note_agent"]

_IS_KNOWN = select(agents.c.name).where(agents.c.name == bindparam("name"))


def note_agent(connection: Connection, name: str) -> None:
    """Remember that ``name`` takes part, unless that is known already."""
    is_known = connection.execute(_IS_KNOWN, {"name": name}).first()
    if is_known is None:
        connection.execute(insert(agents).values(name=name, first_seen_at=timestamp()))


def known_agents(connection: Connection, shipped: Iterable[str] = ()) -> list[str]:
    """Return the names of the shipped agents and of those seen so far, sorted."""
    return sorted({*shipped, *connection.execute(select(agents.c.name)).scalars()})
