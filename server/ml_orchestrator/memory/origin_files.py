"""The memory files of the origin, ``.claude/memory/agents/*.json`` and ``shared_context.json``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from ml_orchestrator.identity import canonical_agent

__all__ = ["OriginFile", "read_agent_file", "read_context_file", "to_domain_knowledge"]

UNSTATED = 0.5  # confidence where the origin states none
IMPORTED = "imported"
# Subjects under which the lists of the origin's project_specific_context are kept.
_LISTS = ("architecture_patterns", "configuration_insights")
_BASELINES = "performance_baselines"
_CONTEXT = ("project_context", _BASELINES)
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
Item: TypeAlias = dict[str, Any]
Items: TypeAlias = list[Item]


@dataclass(slots=True)
class OriginFile:
    """What stands in a file: what could be read, and by its place what could not."""

    items: Items = field(default_factory=list)
    cells: Items = field(default_factory=list)  # counts of collaborations
    context: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def part(self, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Return an object inside another; an empty one if it is not there or none."""
        found = content.get(name)
        if isinstance(found, Mapping):
            return found
        if found is not None:
            self.skipped.append(f"{name}: it is no object")
        return {}

    def each(
        self, content: Mapping[str, Any], name: str, make: Callable[[int, Any], Items]
    ) -> Items:
        """Return what ``make`` makes of the entries of a list, with the number of each."""
        found = content.get(name)
        if found is None:
            return []
        if not isinstance(found, list):
            self.skipped.append(f"{name}: it is no list")
            return []
        made: Items = []
        for number, entry in enumerate(found):
            try:
                made += make(number, entry)
            except _MALFORMED as error:
                self.skipped.append(f"{name}[{number}]: {_said(error)}")
        return made


def read_agent_file(content: Mapping[str, Any]) -> OriginFile:
    """Return the records and the counts of collaborations of one agent's file.

    Raises:
        KeyError: it does not say whose memory it is.
        InvalidInputError: that is no agent's name.
    """
    agent, at = canonical_agent(content["agent_name"]), content.get("last_updated")
    read = OriginFile()

    def task(number: int, entry: Mapping[str, Any]) -> Items:
        when = entry.get("timestamp") or at
        known = {"task_id": f"{when}#{number}", **entry, "timestamp": when}
        return [_item("task", agent, known, when)]

    def insight(_: int, entry: Mapping[str, Any]) -> Items:
        when = entry.get("discovered_at") or at
        return [_item("insight", agent, {**entry, "discovered_at": when}, when)]

    read.items += read.each(content, "task_history", task)
    read.items += read.each(content, "optimization_insights", insight)
    read.items += _facts(read, agent, read.part(content, "domain_knowledge"), at)
    people = read.part(content, "collaboration_patterns")
    read.cells += read.each(
        people, "frequent_collaborators", lambda _, person: _cells(agent, person, at)
    )
    return read


def read_context_file(content: Mapping[str, Any]) -> OriginFile:
    """Return what stands in a ``shared_context.json``.

    Insights of all agents become insights, decisions become facts; messages are left out.
    """
    at = content.get("last_updated")
    read = OriginFile()

    def insight(_: int, entry: Mapping[str, Any]) -> Items:
        agent = (entry.get("contributing_agents") or ["ml-orchestrator"])[0]
        payload = {
            "area": entry.get("category", "global"),
            "insight": entry["insight"],
            "impact": "medium",
            "confidence": entry.get("confidence", UNSTATED),
            "discovered_at": entry.get("created_at") or at,
        }
        return [_item("insight", agent, payload, payload["discovered_at"])]

    def decision(_: int, entry: Mapping[str, Any]) -> Items:
        said = ". ".join(filter(None, (entry["decision"], entry.get("rationale"))))
        when = entry.get("decision_date") or at
        agent = entry.get("decided_by") or "ml-orchestrator"
        return [_fact(agent, entry["title"], said, when, source="architectural decision")]

    read.items += read.each(content, "global_insights", insight)
    read.items += read.each(content, "architectural_decisions", decision)
    kept = {name: content[name] for name in _CONTEXT if content.get(name)}
    if messages := content.get("inter_agent_messages"):
        n_messages = len(messages) if isinstance(messages, list) else "All"
        read.notes.append(f"{n_messages} messages were left out: only memory is imported.")
    if kept:
        read.context = {"content": kept, "updated_at": at, "updated_by": IMPORTED}
    return read


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


def _facts(read: OriginFile, agent: str, knowledge: Mapping[str, Any], at: Any) -> Items:
    def pattern(_: int, entry: Mapping[str, Any]) -> Items:
        fact = _fact(
            agent,
            entry["pattern_name"],
            entry["description"],
            entry.get("last_used") or at,
            confidence=entry.get("success_rate", UNSTATED),
            n_merged=entry.get("frequency", 1),
        )
        return [fact]

    items = read.each(knowledge, "common_patterns", pattern)
    specific = read.part(knowledge, "project_specific_context")
    for name in _LISTS:
        items += read.each(specific, name, partial(_listed, agent, name, at))
    for name, value in read.part(specific, _BASELINES).items():
        try:
            items.append(_fact(agent, f"{_BASELINES}.{name}", repr(float(value)), at))
        except _MALFORMED as error:
            read.skipped.append(f"{_BASELINES}.{name}: {_said(error)}")
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


def _listed(agent: str, subject: str, at: Any, _: int, said: str) -> Items:
    return [_fact(agent, subject, said, at)]


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


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
