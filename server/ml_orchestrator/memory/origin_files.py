"""The memory files of the origin, ``.claude/memory/agents/*.json`` and ``shared_context.json``."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_orchestrator.identity import canonical_agent

__all__ = ["read_agent_file", "read_context_file", "to_domain_knowledge"]

UNSTATED = 0.5  # confidence where the origin states none
IMPORTED = "imported"
# Subjects under which the lists of the origin's project_specific_context are kept.
_LISTS = ("architecture_patterns", "configuration_insights")
_BASELINES = "performance_baselines"
_CONTEXT = ("project_context", _BASELINES)
Items = list[dict[str, Any]]


def read_agent_file(content: Mapping[str, Any]) -> tuple[Items, Items]:
    """Return the records and the counts of collaborations of one agent's file.

    Raises:
        KeyError: it does not say whose memory it is, or misses what the origin requires.
    """
    agent = canonical_agent(content["agent_name"])
    at = content.get("last_updated")
    items: Items = []
    for number, task in enumerate(content.get("task_history", [])):
        when = task.get("timestamp") or at
        known = {"task_id": f"{when}#{number}", **task, "timestamp": when}
        items.append(_item("task", agent, known, when))
    for insight in content.get("optimization_insights", []):
        when = insight.get("discovered_at") or at
        items.append(_item("insight", agent, {**insight, "discovered_at": when}, when))
    items += _facts(agent, content.get("domain_knowledge", {}), at)
    people = content.get("collaboration_patterns", {}).get("frequent_collaborators", [])
    return items, [cell for person in people for cell in _cells(agent, person, at)]


def read_context_file(
    content: Mapping[str, Any],
) -> tuple[Items, dict[str, Any] | None, list[str]]:
    """Return records, shared context and remarks of a ``shared_context.json``.

    Insights of all agents become insights, decisions become facts; messages are left out.
    """
    at = content.get("last_updated")
    items: Items = []
    for insight in content.get("global_insights", []):
        agent = (insight.get("contributing_agents") or ["ml-orchestrator"])[0]
        payload = {
            "area": insight.get("category", "global"),
            "insight": insight["insight"],
            "impact": "medium",
            "confidence": insight.get("confidence", UNSTATED),
            "discovered_at": insight.get("created_at") or at,
        }
        items.append(_item("insight", agent, payload, payload["discovered_at"]))
    for decision in content.get("architectural_decisions", []):
        said = ". ".join(filter(None, (decision["decision"], decision.get("rationale"))))
        when = decision.get("decision_date") or at
        agent = decision.get("decided_by") or "ml-orchestrator"
        items.append(_fact(agent, decision["title"], said, when, source="architectural decision"))
    kept = {name: content[name] for name in _CONTEXT if content.get(name)}
    n_messages = len(content.get("inter_agent_messages", []))
    notes = [f"{n_messages} messages were left out: only memory is imported."] if n_messages else []
    context = {"content": kept, "updated_at": at, "updated_by": IMPORTED} if kept else None
    return items, context, notes


def to_domain_knowledge(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return facts in the origin's shape of ``domain_knowledge``."""
    patterns = [
        {
            "pattern_name": fact["subject"],
            "description": fact["statement"],
            "frequency": fact["n_merged"],
            "success_rate": fact["confidence"],
            "last_used": fact["noted_at"],
        }
        for fact in facts
        if fact["subject"] not in _LISTS and not fact["subject"].startswith(f"{_BASELINES}.")
    ]
    specific: dict[str, Any] = {
        name: [fact["statement"] for fact in facts if fact["subject"] == name] for name in _LISTS
    }
    specific[_BASELINES] = {
        fact["subject"].removeprefix(f"{_BASELINES}."): float(fact["statement"])
        for fact in facts
        if fact["subject"].startswith(f"{_BASELINES}.")
    }
    return {"common_patterns": patterns, "project_specific_context": specific}


def _facts(agent: str, knowledge: Mapping[str, Any], at: Any) -> Items:
    items = [
        _fact(
            agent,
            pattern["pattern_name"],
            pattern["description"],
            pattern.get("last_used") or at,
            confidence=pattern.get("success_rate", UNSTATED),
            n_merged=pattern.get("frequency", 1),
        )
        for pattern in knowledge.get("common_patterns", [])
    ]
    specific = knowledge.get("project_specific_context", {})
    for name in _LISTS:
        items += [_fact(agent, name, said, at) for said in specific.get(name, [])]
    for name, value in specific.get(_BASELINES, {}).items():
        items.append(_fact(agent, f"{_BASELINES}.{name}", repr(float(value)), at))
    return items


def _fact(
    agent: str,
    subject: str,
    statement: str,
    at: Any,
    *,
    confidence: float = UNSTATED,
    n_merged: int = 1,
    source: str = "domain_knowledge",
) -> dict[str, Any]:
    payload = {
        "subject": subject,
        "statement": statement,
        "source": source,
        "confidence": confidence,
        "noted_at": at,
    }
    return {**_item("knowledge", agent, payload, at), "n_merged": n_merged}


def _item(kind: str, agent: str, payload: Mapping[str, Any], at: Any) -> dict[str, Any]:
    return {"kind": kind, "agent": agent, "at": at, "payload": dict(payload)}


def _cells(agent: str, person: Mapping[str, Any], at: Any) -> Items:
    """Spread the work done with a colleague over its kinds: the origin kept only the sum."""
    n = int(person["collaboration_frequency"])
    successes = round(n * float(person.get("success_rate", 0.0)))
    kinds = person.get("common_tasks") or [IMPORTED]
    return [
        {
            "agent": agent,
            "collaborator": person["agent_name"],
            "task_type": kind,
            "successes": _share(successes, len(kinds), place),
            "failures": _share(n - successes, len(kinds), place),
            "last_at": at,
        }
        for place, kind in enumerate(kinds)
    ]


def _share(total: int, parts: int, place: int) -> int:
    return total // parts + (place < total % parts)
