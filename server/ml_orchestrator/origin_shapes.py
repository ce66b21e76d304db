"""Memory and messages in the shapes of the origin.

An entry whose text looks odd has besides what the origin gave it ``flags``; no other has.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_orchestrator.memory.models import (
    AgentMemory,
    Insight,
    Remembered,
    SharedContext,
    StoredInsight,
    Task,
)
from ml_orchestrator.memory.origin_files import marked, to_domain_knowledge
from ml_orchestrator.messaging.models import Message, ThreadMessage
from ml_orchestrator.records import Record

__all__ = ["own_memory", "shared_by_all", "unread_message"]

# Parts of the origin's shared context that stand beside its project_context.
_CONTEXT_PARTS = (
    "global_insights", "architectural_decisions", "performance_baselines", "context_evolution",
)  # fmt: skip


def own_memory(memory: AgentMemory) -> dict[str, Any]:
    """Return one agent's memory."""
    facts = [fact.model_dump() for fact in memory.domain_knowledge]
    people = memory.collaboration_patterns.frequent_collaborators
    return {
        "agent_name": memory.agent_name,
        "last_updated": memory.last_updated,
        "task_history": _entries(memory.task_history, Task),
        "optimization_insights": _entries(memory.optimization_insights, Insight),
        "domain_knowledge": to_domain_knowledge(facts),
        "collaboration_patterns": {
            "frequent_collaborators": [
                marked(person.model_dump(exclude={"flags"}), person.flags) for person in people
            ]
        },
    }


def unread_message(message: Message, acknowledged_by: Mapping[str, str]) -> dict[str, Any]:
    """Return a message, and besides what ours have more."""
    return {**message.model_dump(), **_message(message, acknowledged_by)}


def shared_by_all(
    context: SharedContext,
    project_name: str,
    messages: Sequence[ThreadMessage],
    insights: Sequence[StoredInsight],
) -> dict[str, Any]:
    """Return what all agents share; what has a name of its own stands in ``project_context``.

    The flags of the content, which may have any shape, stand at its top.
    """
    content = {k: v for k, v in context.content.items() if k != "inter_agent_messages"}
    parts = {name: content.pop(name) for name in _CONTEXT_PARTS if name in content}
    known = content.pop("project_context", {})
    project = known if isinstance(known, dict) else {"project_context": known}
    shared = {
        "last_updated": context.updated_at,
        "project_context": {**_new_project(project_name), **content, **project},
        "inter_agent_messages": [_message(m.message, m.acknowledged_by) for m in messages],
        "global_insights": [_shared_insight(insight) for insight in insights],
        **parts,
    }
    return marked(shared, context.flags)


def _entries(records: Sequence[Remembered], kind: type[Record]) -> list[dict[str, Any]]:
    names = list(kind.model_fields)
    dumped = [(record.model_dump(), record.flags) for record in records]
    return [marked({name: entry[name] for name in names}, flags) for entry, flags in dumped]


def _new_project(name: str) -> dict[str, Any]:
    return {
        "project_name": name,
        "current_phase": "development",
        "active_objectives": [],
        "system_health": {"overall_status": "unknown"},
    }


def _message(message: Message, acknowledged_by: Mapping[str, str]) -> dict[str, Any]:
    done = sorted(acknowledged_by.items(), key=lambda item: item[1])
    names = (
        "message_id", "from_agent", "target_agents", "message_type", "content", "timestamp",
    )  # fmt: skip
    entry = {
        **{name: getattr(message, name) for name in names},
        "metadata": {"priority": message.priority, **message.metadata},
        "acknowledged_by": [{"agent": agent, "timestamp": at} for agent, at in done],
    }
    return marked(entry, message.flags)


def _shared_insight(insight: StoredInsight) -> dict[str, Any]:
    entry = {
        "insight_id": insight.record_id,
        "category": insight.area,
        "insight": insight.insight,
        "contributing_agents": [insight.saved_by.agent],
        "confidence": insight.confidence,
        "impact_assessment": insight.impact,
        "created_at": insight.first_at or insight.saved_by.at,
        "last_validated": insight.saved_by.at,
    }
    return marked(entry, insight.flags)
