"""The names of agents, and of the person at this machine."""

import getpass
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from ml_orchestrator.agent_names import canonical_agent

__all__ = ["AgentName", "canonical_agent", "is_agents_shell", "person"]

AGENT_SHELL = "CLAUDECODE"  # what Claude Code sets in the shells of its agents

# Schemas say no more, which would stand in every tool: the error says in words what a name is.
AgentName: TypeAlias = Annotated[
    str, AfterValidator(canonical_agent), WithJsonSchema({"type": "string"})
]


def person() -> str:
    """Return the name of the operating system's user, for the record of what they decided."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without an entry; KeyError before Python 3.13
        return "a person without a user name"


def is_agents_shell(environ: Mapping[str, str]) -> bool:
    """Return whether an agent's shell runs us, as far as it says so; a program could hide it."""
    return bool(environ.get(AGENT_SHELL))
