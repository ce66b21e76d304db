"""What memory says about the task at hand: what worked, what failed, whom to ask."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from ml_orchestrator.memory._tally import Tally
from ml_orchestrator.memory.candidates import (
    Ranked,
    candidates,
    last_of_all,
    newest_candidates,
    whole,
)
from ml_orchestrator.memory.requests import Filters
from ml_orchestrator.memory.search import text_of
from ml_orchestrator.memory.search_models import Adviser, Digest, Lesson, Rate
from ml_orchestrator.numerics.wilson import wilson_interval
from ml_orchestrator.storage.agents import known_agents
from ml_orchestrator.text import cut
from ml_orchestrator.text.words import query_words, words_of

__all__ = ["digest"]

SIMILAR = 0.3  # relevance from which a task counts as similar
MAX_LESSONS = 3
MAX_ADVISERS = 3
MAX_CHARACTERS = 240


def digest(
    connection: Connection, agent: str, tally: Tally, task: str | None, *, now: str
) -> Digest:
    """Return what ``agent`` should know before ``task``, or before any when none is named.

    With a task: the success rate of the similar tasks of all agents, the most similar that
    worked and that did not, and the best insights and facts about it. Where more tasks match
    than are looked at, these are the newest, and ``about`` says so. Without: the success
    rate of all tasks the agent ever stored, also of those that are gone.
    """
    words = [] if task is None else query_words(task)
    advisers = _advisers(connection, agent, tally, set(words))
    if not words:
        return Digest(
            about="all of your own",
            success=_own_success(tally),
            worked=[],
            failed=[],
            known=[],
            ask=advisers,
        )
    up_to = last_of_all(connection)
    tasks_only = Filters(kind="task")
    newest = newest_candidates(connection, words, tasks_only, up_to=up_to, now=now)
    tasks = _similar(newest.ranked)
    worked = [found for found in tasks if found.row.outcome == "success"]
    others = Filters(not_kind="task")  # apart, so that neither crowds the other out
    known = _similar(candidates(connection, words, others, up_to=up_to, now=now))
    return Digest(
        about="similar tasks of all agents" + ("" if newest.is_all else ", the newest alone"),
        success=_rate(len(worked), len(tasks)),
        worked=_lessons(connection, worked),
        failed=_lessons(connection, [found for found in tasks if found.row.outcome != "success"]),
        known=_lessons(connection, sorted(known, key=lambda found: -found.score)),
        ask=advisers,
    )


def _similar(found: Sequence[Ranked]) -> list[Ranked]:
    """Return what is about the same, the most similar first."""
    similar = [ranked for ranked in found if ranked.relevance >= SIMILAR]
    return sorted(similar, key=lambda ranked: (-ranked.relevance, -ranked.row.seq))


def _lessons(connection: Connection, found: Sequence[Ranked]) -> list[Lesson]:
    told = found[:MAX_LESSONS]
    rows = whole(connection, told)
    return [_lesson(rows[ranked.row.seq], ranked.relevance) for ranked in told]


def _lesson(row: Row[Any], relevance: float) -> Lesson:
    return Lesson(
        record_id=row.id,
        agent=row.agent,
        at=row.created_at,
        text=_told(row.kind, json.loads(row.payload)),
        relevance=relevance,
        flags=json.loads(row.flags) if row.flags else [],
    )


def _told(kind: str, payload: Mapping[str, Any]) -> str:
    """Return what a record says, with what a fact is about and what a task taught."""
    said = text_of(kind, payload, MAX_CHARACTERS)
    if kind == "knowledge":
        return cut(f"{payload['subject']}: {said}", MAX_CHARACTERS)
    if learnt := payload.get("key_insights"):
        return cut(f"{said} Learnt: {'; '.join(map(str, learnt))}", MAX_CHARACTERS)
    return said


def _own_success(tally: Tally) -> Rate:
    tasks = (row for row in tally.counts if row.kind == "task")
    by_outcome = {row.outcome: row.n + row.n_removed for row in tasks}
    return _rate(by_outcome.get("success", 0), sum(by_outcome.values()))


def _advisers(connection: Connection, agent: str, tally: Tally, words: set[str]) -> list[Adviser]:
    """Return colleagues for this kind of work first, then by the low end of their interval.

    Never a name that nobody here has, nor the agent itself, which may have noted work of its own
    as done together.
    """
    people = known_agents(connection) - {agent} if tally.pairs else set()
    found = [
        (
            not words.isdisjoint(words_of(pair.task_type)),
            Adviser(
                agent_name=pair.collaborator,
                task_type=pair.task_type,
                success=_rate(pair.successes, pair.n),
                flags=list(pair.flags),
            ),
        )
        for pair in tally.pairs
        if pair.collaborator in people
    ]
    found.sort(key=lambda each: (not each[0], -each[1].success.low, each[1].agent_name))
    return [adviser for _, adviser in found[:MAX_ADVISERS]]


def _rate(successes: int, n: int) -> Rate:
    low, high = wilson_interval(successes, n)
    rate = round(successes / n, 3) if n else None
    return Rate(rate=rate, low=round(low, 3), high=round(high, 3), n=n)
