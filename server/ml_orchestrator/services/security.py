"""Who may do what, and what may be read."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ml_orchestrator.errors import InvalidInputError, PermissionDeniedError
from ml_orchestrator.settings import Settings

__all__ = ["AGENT_PATTERN", "SHIPPED_AGENTS", "SecurityIntegrationService", "canonical_agent"]

PLUGIN = "ml-orchestrator"
AGENT_PATTERN = r"^[a-z][a-z0-9_-]{0,63}(:[a-z][a-z0-9_-]{0,63})?$"
_AGENT = re.compile(AGENT_PATTERN.removeprefix("^").removesuffix("$"))

_EVERYBODY = frozenset({"memory_save", "message_send", "message_ack"})
_RIGHTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ml-orchestrator": _EVERYBODY
        | {"training_start", "training_cancel", "registry_move_alias", "workflow_run"},
        "data-pipeline-specialist": _EVERYBODY | {"workflow_run"},
        "infrastructure-specialist": _EVERYBODY | {"registry_move_alias"},
        "performance-engineer": _EVERYBODY | {"training_start", "training_cancel"},
    }
)
SHIPPED_AGENTS: Sequence[str] = tuple(_RIGHTS)


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


class SecurityIntegrationService:
    """Rights of agents on tools; reading is open to all, changing is granted by name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def authorise(self, agent: str, tool: str) -> None:
        """Let a change pass, or say who may make it.

        Raises:
            PermissionDeniedError: this agent has no right to use ``tool``, or the server is
                in read-only mode.
        """
        name = canonical_agent(agent)
        if self._settings.mode == "read-only":
            raise PermissionDeniedError(
                f"{tool} changes things and this server runs read-only. "
                "A person can start it with ML_ORCHESTRATOR_MODE=operator."
            )
        if tool not in _RIGHTS.get(name, _EVERYBODY):
            holders = ", ".join(sorted(a for a, rights in _RIGHTS.items() if tool in rights))
            raise PermissionDeniedError(
                f"Agent {name!r} may not use {tool}; {holders or 'nobody'} may. "
                "Send a message to one of them with what you need."
            )
