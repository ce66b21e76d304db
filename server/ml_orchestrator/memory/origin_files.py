"""The memory files of the origin, ``.claude/memory/agents/*.json`` and ``shared_context.json``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeGuard

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.memory._given import MALFORMED, Placed, check_object, said_of
from ml_orchestrator.storage.memory_rows import cleaned
from ml_orchestrator.text import cut

__all__ = [
    "OriginFile",
    "is_baseline",
    "is_pattern",
    "marked",
    "read_agent_file",
    "read_context_file",
    "read_knowledge",
    "to_domain_knowledge",
]

UNSTATED = 0.5  # confidence where the origin states none
IMPORTED = "imported"
# Subjects under which the lists of the origin's project_specific_context are kept.
_LISTS = ("architecture_patterns", "configuration_insights")
_BASELINES = "performance_baselines"
_SPECIFIC = "project_specific_context"
_PATTERN = ("pattern_name", "description", "frequency", "success_rate", "last_used")
_CONTEXT = ("project_context", _BASELINES)
_MOST = 1_000_000_000  # pieces of work with one colleague
Item: TypeAlias = dict[str, Any]
Items: TypeAlias = list[Item]


@dataclass(slots=True)
class OriginFile:
    """What stands in a file: what could be read, and by its place what could not."""

    items: list[Placed] = field(default_factory=list)
    cells: list[Placed] = field(default_factory=list)  # counts of collaborations
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
        self,
        content: Mapping[str, Any],
        name: str,
        make: Callable[[int, Any], Items],
        *,
        check: Callable[[Any], None] = check_object,
    ) -> list[Placed]:
        """Return with its place what ``make`` makes of the entries of a list and their numbers.

        What ``check`` refuses is skipped.
        """
        found = content.get(name)
        if found is None:
            return []
        if not isinstance(found, list):
            self.skipped.append(f"{name}: it is no list")
            return []
        made: list[Placed] = []
        for number, entry in enumerate(found):
            place = f"{name}[{number}]"
            try:
                check(entry)
                made += [(place, item) for item in make(number, entry)]
            except (InvalidInputError, *MALFORMED) as error:
                self.skipped.append(f"{place}: {said_of(error)}")
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


def read_knowledge(agent: str, content: Mapping[str, Any], at: str) -> OriginFile:
    """Return as facts what ``domain_knowledge`` of an agent's memory says.

    What states no time is of ``at``; parts that the origin does not have are named in the notes.
    """
    read = OriginFile()
    read.items = _facts(read, agent, read.part(content, "domain_knowledge"), at)
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
    """Return facts, newest first, in the origin's shape of ``domain_knowledge``.

    A pattern has its flags; the lists and numbers have theirs together, beside them.
    """
    specific: dict[str, Any] = {name: [] for name in _LISTS} | {_BASELINES: {}}
    patterns, flags = [], dict[str, None]()
    for fact in facts:
        subject, statement = fact["subject"], fact["statement"]
        number = baseline_of(statement) if is_baseline(subject) else None
        if subject in _LISTS:
            specific[subject].append(statement)
        elif number is not None:  # of several, the newest counts
            specific[_BASELINES].setdefault(subject.removeprefix(f"{_BASELINES}."), number)
        else:
            patterns.append(_pattern(fact))
            continue
        flags |= dict.fromkeys(fact["flags"])
    return {"common_patterns": patterns, _SPECIFIC: marked(specific, list(flags))}


def _pattern(fact: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        "pattern_name": fact["subject"],
        "description": fact["statement"],
        "frequency": fact["n_merged"],
        "success_rate": fact["confidence"],
        "last_used": fact["noted_at"],
    }
    return marked(known, fact["flags"])


def marked(entry: dict[str, Any], flags: Sequence[str]) -> dict[str, Any]:
    """Return an entry with its ``flags``; one without any as it is."""
    return {**entry, "flags": list(flags)} if flags else entry


def is_baseline(subject: str) -> bool:
    """Whether a fact of a subject is a number of the origin's ``performance_baselines``."""
    return subject.startswith(f"{_BASELINES}.")


def baseline_of(statement: str | float) -> float | None:
    """Return the number of a baseline; None if what is said is none.

    >>> baseline_of("80.5"), baseline_of("see the wiki"), baseline_of("nan")
    (80.5, None, None)
    """
    try:
        number = float(statement)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def is_pattern(subject: str) -> bool:
    """Whether a fact of a subject is one of the origin's ``common_patterns``."""
    return subject not in _LISTS and not is_baseline(subject)


def _facts(read: OriginFile, agent: str, knowledge: Mapping[str, Any], at: Any) -> list[Placed]:
    def pattern(number: int, entry: Mapping[str, Any]) -> Items:
        _note_unknown(read, f"common_patterns[{number}]", entry, _PATTERN)
        name = _text(entry, "pattern_name")
        if not is_pattern(name):
            raise InvalidInputError(f"pattern_name is {_shown(name)}, which has a place of its own")
        fact = _fact(
            agent,
            name,
            _text(entry, "description"),
            entry.get("last_used") or at,
            confidence=_rate(entry, "success_rate", UNSTATED),
            n_merged=_count(entry, "frequency", 1),
        )
        return [fact]

    items = read.each(knowledge, "common_patterns", pattern)
    specific = read.part(knowledge, _SPECIFIC)
    _note_unknown(read, "domain_knowledge", knowledge, ("common_patterns", _SPECIFIC))
    _note_unknown(read, _SPECIFIC, specific, (*_LISTS, _BASELINES))
    for name in _LISTS:
        items += read.each(specific, name, partial(_listed, agent, name, at), check=_check_text)
    for name, value in read.part(specific, _BASELINES).items():
        place = f"{_BASELINES}.{name}"
        number = baseline_of(value) if _is_number(value) or isinstance(value, str) else None
        if number is None:
            read.skipped.append(f"{place}: it is {_shown(value)}; a number is taken")
        else:
            items.append((place, _fact(agent, place, repr(number), at)))
    return items


def _note_unknown(
    read: OriginFile, place: str, content: Mapping[str, Any], known: Sequence[str]
) -> None:
    if names := [cut(repr(name), 60) for name in content if name not in (*known, "flags")]:
        read.notes.append(
            f"{', '.join(names[:10])} in {place} was left out: it has {', '.join(known)}. "
            "What else is known can be stored as knowledge with memory_save."
        )


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


def _check_text(entry: object) -> None:
    if not isinstance(entry, str):
        raise InvalidInputError(f"it is {_shown(entry)}; text is taken")


def _item(kind: str, agent: str, payload: Mapping[str, Any], at: Any) -> dict[str, Any]:
    return {"kind": kind, "agent": agent, "at": at, "payload": dict(payload)}


def _cells(agent: str, person: Mapping[str, Any], at: Any) -> Items:
    """Spread the work done with a colleague over its kinds: the origin kept only the sum."""
    n, rate = _count(person, "collaboration_frequency"), _rate(person, "success_rate")
    successes = round(n * rate)
    kinds = _kinds(person.get("common_tasks"))
    collaborator = canonical_agent(person["agent_name"])
    return [
        {
            "agent": agent,
            "collaborator": collaborator,
            "task_type": kind,
            "successes": _share(successes, len(kinds), place),
            "failures": _share(n - successes, len(kinds), place),
            "last_at": at,
        }
        for place, kind in enumerate(kinds)
    ]


def _kinds(stated: object) -> list[str]:
    """Return the kinds of work, each once."""
    if stated is None or stated == []:
        return [IMPORTED]
    if not isinstance(stated, list) or not all(isinstance(s, str) and s.strip() for s in stated):
        raise InvalidInputError(f"common_tasks is {_shown(stated)}; it is a list of text")
    return list(dict.fromkeys(cleaned(stated)[0]))


def _count(entry: Mapping[str, Any], name: str, usual: int | None = None) -> int:
    """Return a whole number from 1 on; without ``usual`` it has to be there."""
    n = entry[name] if usual is None else entry.get(name, usual)
    if not _is_number(n) or n != round(n) or not 1 <= n <= _MOST:
        raise InvalidInputError(f"{name} is {_shown(n)}; it is a count from 1 on")
    return round(n)


def _rate(entry: Mapping[str, Any], name: str, usual: float | None = None) -> float:
    """Return a number from 0 to 1; without ``usual`` it has to be there."""
    rate = entry[name] if usual is None else entry.get(name, usual)
    if not _is_number(rate) or not 0 <= rate <= 1:
        raise InvalidInputError(f"{name} is {_shown(rate)}; it is a number from 0 to 1")
    return rate


def _text(entry: Mapping[str, Any], name: str) -> str:
    """Return text that has to be there."""
    if not isinstance(said := entry[name], str):
        raise InvalidInputError(f"{name} is {_shown(said)}; it is text")
    return said


def _is_number(part: object) -> TypeGuard[int | float]:
    if isinstance(part, float):
        return math.isfinite(part)
    return isinstance(part, int) and not isinstance(part, bool)


def _shown(part: object) -> str:
    return cut(repr(part), 60)


def _share(total: int, parts: int, place: int) -> int:
    return total // parts + (place < total % parts)
