"""Who may do what.

Paths and data are checked where they are read (``datasets``), models where they are loaded
(``registry``, ``serving``).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ml_orchestrator.errors import PermissionDeniedError, UnavailableError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.settings import Settings

__all__ = ["SHIPPED_AGENTS", "SecurityIntegrationService"]


_EVERYBODY = frozenset(
    {"context_update", "lease_set", "memory_save", "message_send", "message_ack"}
)
_RIGHTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ml-orchestrator": _EVERYBODY
        | {
            "memory_forget",
            "registry_move_alias",
            "training_cancel",
            "training_start",
            "workflow_run",
        },
        "data-pipeline-specialist": _EVERYBODY | {"workflow_run"},
        "infrastructure-specialist": _EVERYBODY | {"registry_move_alias"},
        "performance-engineer": _EVERYBODY | {"training_start", "training_cancel"},
    }
)
SHIPPED_AGENTS: Sequence[str] = tuple(_RIGHTS)


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

    def describe(self) -> str:
        """Return the mode, after trying that a stranger is refused.

        Raises:
            UnavailableError: a stranger was let through.
        """
        try:
            self.authorise("stranger", "registry_move_alias")
        except PermissionDeniedError:
            return f"mode {self._settings.mode}; a stranger may not move aliases"
        raise UnavailableError("Rights are not kept: a stranger may move aliases.")
