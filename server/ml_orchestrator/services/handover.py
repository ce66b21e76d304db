"""What an agent at work is told without asking: its memory, its messages, and to save at its end.

That is a subagent, or a main thread that runs as one of our agents.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from ml_orchestrator.memory.models import Task
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.messaging.models import MOST_WORK_TOLD, Message
from ml_orchestrator.services.collaboration import CollaborationService
from ml_orchestrator.services.handout import N_NEWEST, Handout, announce, hand_out
from ml_orchestrator.text import cut

__all__ = [
    "AgentSession",
    "AgentSessions",
    "ask_to_save",
    "hand_over",
    "save_for",
    "tell_news",
]

MAX_SESSIONS = 1_000
MAX_URGENT = 100
FIRST_MESSAGES = 20


@dataclass(slots=True)
class AgentSession:
    """What one running agent has been told and has done."""

    has_memory: bool = False
    has_saved: bool = False
    was_asked: bool = False
    told: set[str] = field(default_factory=set)
    mark: int = 0  # messages after it came while this subagent was at work
    n_waiting: int = 0  # of them, as last told, behind those that were told
    left_over: frozenset[str] = frozenset()  # messages that found no room at the start


class AgentSessions:
    """The agents of one server process, by the client's agent id, main threads by their session.

    The oldest are forgotten.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, AgentSession] = OrderedDict()

    def begin(self, agent_id: str) -> AgentSession:
        """Return a new session, also for an id that was seen before."""
        self._sessions.pop(agent_id, None)
        return self.of(agent_id)

    def of(self, agent_id: str) -> AgentSession:
        """Return the session of an id, a new one if it is not known."""
        session = self._sessions.setdefault(agent_id, AgentSession())
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session


async def hand_over(collaboration: CollaborationService, session: AgentSession, agent: str) -> str:
    """Return memory and unread messages of ``agent``, empty if there is nothing.

    Raises:
        UnavailableError: the stores cannot be read; nothing counts as told.
    """
    mark = await collaboration.mark()
    memory, digest, _ = await collaboration.brief(agent, limit=N_NEWEST)
    inbox = await collaboration.inbox(agent, limit=FIRST_MESSAGES)
    session.has_memory, session.mark = True, mark
    handout = hand_out(memory, digest, inbox)
    ids = frozenset(message.message_id for message in inbox.messages)
    session.left_over = ids - handout.message_ids
    return _tell(session, handout)


async def tell_news(collaboration: CollaborationService, session: AgentSession, agent: str) -> str:
    """Return what cannot wait and was not told this subagent yet, empty if there is nothing.

    These are urgent messages, work that was handed to it or back to it since it started (the
    answer of a colleague that it started itself comes while it is at work), and what found no
    room when it started. A subagent that did not get its memory when it started gets that instead.
    """
    if not session.has_memory:
        return await hand_over(collaboration, session, agent)
    unread = await collaboration.unread(agent)
    if not unread.n_unread:
        return ""
    found = await _waiting(collaboration, session, agent, unread.n_urgent)
    work = await collaboration.work_after(agent, session.mark)
    news = {each.message_id: each for each in found + work if each.message_id not in session.told}
    n_waiting = await _n_behind(collaboration, agent, session.mark, len(work))
    if not news and n_waiting <= session.n_waiting:
        return ""
    session.n_waiting = n_waiting
    return _tell(session, announce(agent, list(news.values()), n_waiting=n_waiting))


async def save_for(
    collaboration: CollaborationService, agent: str, last_message: str, *, origin: Origin
) -> None:
    """Store a minimal record for an agent that stopped without saving."""
    report = last_message.strip() or "Ended without a report."
    task = Task(
        task_description=cut(report, 1_500),
        outcome="partial",
        key_insights=[
            "Saved by the SubagentStop hook: the agent stopped without memory_save, so the "
            "outcome is not known and the description is its last message."
        ],
    )
    await collaboration.save_memory(agent, task=task, origin=origin)


def ask_to_save(agent: str) -> str:
    """Return what an agent is told when it stops without having saved."""
    return (
        f"Nothing has been saved to memory in this task. Call memory_save once, with agent "
        f"{agent}: the task, its true outcome (success, partial or failure), and what was "
        "learnt with its numbers. Then repeat your final report in full, because only your "
        "last message reaches whoever asked."
    )


async def _waiting(
    collaboration: CollaborationService, session: AgentSession, agent: str, n_urgent: int
) -> list[Message]:
    """Return what is urgent or found no room at the start, of up to 100 messages.

    Counts are enough where there is neither.
    """
    session.left_over -= session.told
    if not n_urgent and not session.left_over:
        return []
    limit = MAX_URGENT if session.left_over else min(n_urgent, MAX_URGENT)
    inbox = await collaboration.inbox(agent, limit=limit)
    session.left_over &= {message.message_id for message in inbox.messages}  # others are done
    return [
        message
        for message in inbox.messages
        if message.priority == "urgent" or message.message_id in session.left_over
    ]


async def _n_behind(
    collaboration: CollaborationService, agent: str, mark: int, n_found: int
) -> int:
    """Return how much work waits behind what was found, counted only where that is full."""
    if n_found < MOST_WORK_TOLD:
        return 0
    return await collaboration.count_work_after(agent, mark) - n_found


def _tell(session: AgentSession, handout: Handout) -> str:
    session.told |= handout.message_ids
    return handout.text
