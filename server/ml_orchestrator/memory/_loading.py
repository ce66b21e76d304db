"""What one agent remembers, with whom it worked and how much there is."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from ml_orchestrator.memory._rows import R, newest
from ml_orchestrator.memory._tally import OTHER, Pair, Tally, together
from ml_orchestrator.memory.models import (
    AgentMemory,
    CollaborationPatterns,
    Collaborator,
    StoredInsight,
    StoredKnowledge,
    StoredTask,
)

__all__ = ["load"]


def load(connection: Connection, agent: str, tally: Tally, *, limit: int, now: str) -> AgentMemory:
    """Return the newest ``limit`` records of each kind, newest first, and all counts."""

    def listed(kind: str, model: type[R]) -> list[R]:
        return newest(connection, agent, kind, model, limit=limit, now=now) if tally.n(kind) else []

    work = [*tally.pairs, *tally.others]
    times = [*(row.latest for row in tally.counts), *(pair.last_at for pair in work)]
    return AgentMemory(
        agent_name=agent,
        last_updated=max(times, default=None),
        task_history=listed("task", StoredTask),
        optimization_insights=listed("insight", StoredInsight),
        domain_knowledge=listed("knowledge", StoredKnowledge),
        collaboration_patterns=CollaborationPatterns(frequent_collaborators=_collaborators(work)),
        n_tasks=tally.n("task"),
        n_insights=tally.n("insight"),
        n_knowledge=tally.n("knowledge"),
    )


def _collaborators(pairs: Sequence[Pair]) -> list[Collaborator]:
    by_name: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_name[pair.collaborator].append(pair)
    people = [_collaborator(name, work) for name, work in by_name.items()]
    return sorted(people, key=lambda c: (-c.collaboration_frequency, c.agent_name))


def _collaborator(name: str, work: Sequence[Pair]) -> Collaborator:
    by_kind: dict[str, Pair] = {}
    for pair in work:  # a kind may be called as the others together are
        known = by_kind.get(pair.task_type)
        by_kind[pair.task_type] = pair if known is None else together(known, pair)
    n_by_task = {kind: pair.n for kind, pair in by_kind.items()}
    total = sum(n_by_task.values())
    return Collaborator(
        agent_name=name,
        collaboration_frequency=total,
        success_rate=sum(pair.successes for pair in work) / total,
        common_tasks=sorted(n_by_task, key=lambda task: (task == OTHER, -n_by_task[task], task)),
        success_rate_by_task={kind: pair.successes / pair.n for kind, pair in by_kind.items()},
        last_at=max(pair.last_at for pair in work),
        flags=list(dict.fromkeys(flag for pair in work for flag in pair.flags)),
    )
