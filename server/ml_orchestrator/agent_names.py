"""The agents that ship, and how an agent is named: standard library only, Python 3.9 on.

The launcher reads this, too, before any dependency is installed.
"""

import re

from ml_orchestrator.errors import InvalidInputError

__all__ = ["PLUGIN", "SHIPPED_AGENTS", "canonical_agent"]

PLUGIN = "ml-orchestrator"
SHIPPED_AGENTS = (
    "ml-orchestrator",
    "data-pipeline-specialist",
    "infrastructure-specialist",
    "performance-engineer",
)
_AGENT = re.compile(r"[a-z][a-z0-9_-]{0,63}(:[a-z][a-z0-9_-]{0,63})?")


def canonical_agent(agent: object) -> str:
    """Return the plain name of an agent.

    Claude Code calls a plug-in's agent ``PLUGIN:AGENT``; for ours the prefix is dropped.

    Raises:
        InvalidInputError: it is not a name.
    """
    if not isinstance(agent, str) or _AGENT.fullmatch(agent) is None:
        shown = repr(agent[:80]) if isinstance(agent, str) else repr(agent)[:80]
        raise InvalidInputError(
            f"{shown} is not an agent's name. Use small letters, digits, '-' and '_', "
            "starting with a letter, such as 'ml-orchestrator'."
        )
    return agent.removeprefix(f"{PLUGIN}:")
