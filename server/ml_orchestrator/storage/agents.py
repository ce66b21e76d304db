"""The agents that have been seen in this project."""

from sqlalchemy import Connection, bindparam, insert, select

from ml_orchestrator.agent_names import SHIPPED_AGENTS
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.message_rows import add_live_broadcasts
from ml_orchestrator.storage.schema import agents
from ml_orchestrator.storage.statements import Statement

__all__ = ["is_known_agent", "known_agents", "note_agent", "seen_agents", "welcome"]

_SEEN = Statement(select(agents.c.name))
_WELCOME = Statement(insert(agents), columns=("name", "first_seen_at"))
_IS_KNOWN = Statement(select(agents.c.name).where(agents.c.name == bindparam("name")))


def note_agent(connection: Connection, name: str, *, now: str | None = None) -> None:
    """Remember that ``name`` takes part, and give it what was sent to everybody, once."""
    if not is_known_agent(connection, name):
        welcome(connection, name, now=now or timestamp())


def welcome(connection: Connection, name: str, *, now: str) -> None:
    """Take in an agent that was not seen before, and give it what was sent to everybody."""
    _WELCOME.change(connection, {"name": name, "first_seen_at": now})
    add_live_broadcasts(connection, name, now=now)


def is_known_agent(connection: Connection, name: str) -> bool:
    """Whether ``name`` has taken part before."""
    return _IS_KNOWN.first(connection, {"name": name}) is not None


def known_agents(connection: Connection) -> set[str]:
    """Return the names of the agents that ship and of those seen so far."""
    return {*SHIPPED_AGENTS, *seen_agents(connection)}


def seen_agents(connection: Connection) -> set[str]:
    """Return the names of the agents seen so far."""
    return {row.name for row in _SEEN.all(connection)}
