"""The names of agents, and of the person at this machine."""

import getpass
import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema

from ml_orchestrator.errors import InvalidInputError

__all__ = ["AgentName", "canonical_agent", "person"]

PLUGIN = "ml-orchestrator"
PATTERN = r"^[a-z][a-z0-9_-]{0,63}(:[a-z][a-z0-9_-]{0,63})?$"
_AGENT = re.compile(PATTERN.removeprefix("^").removesuffix("$"))


def canonical_agent(agent: str) -> str:
    """Return the plain name of an agent.

    Claude Code calls a plug-in's agent ``PLUGIN:AGENT``; for ours the prefix is dropped.

    Raises:
        InvalidInputError: it is not a name.
    """
    if _AGENT.fullmatch(agent) is None:
        raise InvalidInputError(
            f"{agent[:80]!r} is not an agent's name. Use small letters, digits, '-' and '_', "
            "starting with a letter, such as 'ml-orchestrator'."
        )
    return agent.removeprefix(f"{PLUGIN}:")


# Schemas leave the pattern out: it stands in every tool, and the error text says it in words.
AgentName: TypeAlias = Annotated[
    str, Field(pattern=PATTERN), AfterValidator(canonical_agent), WithJsonSchema({"type": "string"})
]


def person() -> str:
    """Return the name of the operating system's user, for the record of what they decided."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without an entry; KeyError before Python 3.13
        return "a person without a user name"
