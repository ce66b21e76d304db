"""The names that agent definitions import, each one from the package.

Needs ``ml_orchestrator`` in the Python that runs it: ``make setup`` in this repository.
"""

from ml_orchestrator.agent_memory import (
    AgentMemoryManager,
    load_my_memory,
    load_shared_context,
    save_my_memory,
    send_message_to_agents,
)

__all__ = [
    "AgentMemoryManager",
    "load_my_memory",
    "load_shared_context",
    "save_my_memory",
    "send_message_to_agents",
]
