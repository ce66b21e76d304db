"""The Python door to memory and messages, under the names agents have always used.

``.claude/memory/memory_manager.py`` offers these in any Python, so that code pasted from an
agent's definition runs against the same store as the MCP tools. It runs this module as a
program, which reads a request a line, ``[home, method, arguments, named arguments]``, and
writes ``{"result": …}`` or ``{"kind": …, "error": …}``.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from ml_orchestrator.agent_names import SHIPPED_AGENTS
from ml_orchestrator.errors import (
    InvalidInputError,
    OrchestratorError,
    PermissionDeniedError,
)
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Collaboration, Insight, Task
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.memory.saved_back import checked, read_memory, save_back
from ml_orchestrator.memory.transfer import export_memory, import_memory
from ml_orchestrator.messaging._quotas import quotas_of
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.messaging.models import NOBODY, RESULT, WITHDRAWAL
from ml_orchestrator.orchestration.announcing import MailAnnouncer, announce_memory, outbox_of
from ml_orchestrator.origin_shapes import own_memory, shared_by_all, unread_message
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.creation import sqlite_file
from ml_orchestrator.storage.engine import Database, open_database, open_empty, timestamp
from ml_orchestrator.text import cut

__all__ = [
    "AgentMemoryManager",
    "load_my_memory",
    "load_shared_context",
    "save_my_memory",
    "send_message_to_agents",
]

P = ParamSpec("P")
T = TypeVar("T")
_ORIGIN = Origin(tool="python", source="memory_manager")
_log = logging.getLogger(__name__)

# Agent definitions show a field's choices as "success|partial|failure". Code pasted with the
# choice still open is taken at its most cautious, and the log says so.
_OPEN_CHOICES = {
    ("outcome", "success|partial|failure"): "partial",
    ("impact", "low|medium|high"): "low",
}
MAX_SHARED_MESSAGES, MAX_SHARED_INSIGHTS = 100, 20


def _writes(
    method: Callable[Concatenate["AgentMemoryManager", P], T],
) -> Callable[Concatenate["AgentMemoryManager", P], T]:
    """Refuse a method in read-only mode."""

    @wraps(method)
    def allowed(self: "AgentMemoryManager", /, *args: P.args, **named: P.kwargs) -> T:
        if self._is_read_only:
            raise PermissionDeniedError.in_read_only(method.__name__)
        return method(self, *args, **named)

    return allowed


class AgentMemoryManager:
    """Memory and messages of the agents of one project.

    Opens the store of the project around the working directory, or of ``home``. Every method
    may be called from many processes at once. In read-only mode those that change something
    raise ``PermissionDeniedError``, and a store that is not there is not made.
    """

    def __init__(self, home: Path | None = None) -> None:
        settings = Settings.read(home=home)
        self._is_read_only = settings.mode == "read-only"
        database = _open_to_read(settings) if self._is_read_only else _open(settings)
        self._database = database
        self._project_name = settings.project_dir.name
        outbox = outbox_of("python")
        self._changed = announce_memory(outbox)
        self._memory = SqlMemoryStore(
            database, max_records=settings.memory_max_records, changed=self._changed
        )
        self._mailbox = SqlMailbox(
            database,
            shipped=SHIPPED_AGENTS,
            quotas=quotas_of(settings),
            news=MailAnnouncer(outbox),
        )

    def __enter__(self) -> "AgentMemoryManager":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections to the store back."""
        self._database.close()

    def load_agent_memory(self, agent_name: str) -> dict[str, Any]:
        """Return an agent's memory in the origin's shape, lists newest first.

        An entry whose text looks odd has ``flags`` besides.
        """
        return own_memory(self._memory.load(canonical_agent(agent_name)))

    @_writes
    def save_agent_memory(self, agent_name: str, memory: Mapping[str, Any]) -> None:
        """Store the tasks, insights and facts of ``memory`` that the store does not have yet.

        Nothing is deleted: a memory loaded before somebody else saved loses none of theirs.
        Each is looked up, however many are stored. What is changed of a stored task or pattern,
        what is added to colleagues, and parts that a memory does not have are not stored, and the
        log says so.

        Raises:
            InvalidInputError: it is no memory, or something in it cannot be stored: nothing is.
        """
        agent = canonical_agent(agent_name)
        whole = read_memory(agent, memory, now=timestamp())

        def work(connection: Connection) -> list[str]:
            return save_back(connection, agent, whole, origin=_ORIGIN, changed=self._changed)

        for said in self._database.write(work):
            _log.warning("%s", said)
        if names := self._uncounted(agent, memory):
            _log.warning(
                "Work with %s was not counted: call update_collaboration_pattern for each piece.",
                ", ".join(names),
            )

    def _uncounted(self, agent: str, memory: Mapping[str, Any]) -> list[str]:
        """Return colleagues of whom ``memory`` counts more than is stored, or another rate."""
        stated = memory.get("collaboration_patterns")
        people = stated.get("frequent_collaborators") if isinstance(stated, Mapping) else None
        if not isinstance(people, list) or not people:
            return []
        patterns = self._memory.load(agent, limit=1).collaboration_patterns
        stored = {
            known.agent_name: (known.collaboration_frequency, known.success_rate)
            for known in patterns.frequent_collaborators
        }
        return [_name_of(each) for each in people if _says_more(each, stored)]

    def export_memory(self) -> dict[str, Any]:
        """Return all that is remembered by all agents, as JSON content."""
        return export_memory(self._database)

    @_writes
    def import_memory(self, path: str | Path) -> dict[str, Any]:
        """Store what an export, or a memory folder or file of the origin, holds and we do not."""
        if not isinstance(path, str | Path):
            raise InvalidInputError(
                f"path names a file or a folder, and {cut(repr(path), 60)} is none. To store a "
                "memory that is loaded already, give it to save_agent_memory."
            )
        return import_memory(self._database, Path(path), changed=self._changed).model_dump()

    @_writes
    def add_task_to_history(self, agent_name: str, task_info: Mapping[str, Any]) -> str:
        """Store a finished task and return its id."""
        agent = canonical_agent(agent_name)
        saved = self._memory.save(agent, task=checked(Task, _chosen(task_info)), origin=_ORIGIN)
        return str(saved.task_id)

    @_writes
    def add_optimization_insight(self, agent_name: str, insight_info: Mapping[str, Any]) -> None:
        """Store something learnt."""
        agent = canonical_agent(agent_name)
        self._memory.save(agent, insights=[checked(Insight, _chosen(insight_info))], origin=_ORIGIN)

    @_writes
    def update_collaboration_pattern(
        self, agent_name: str, collaborator: str, success: bool, task_type: str
    ) -> None:
        """Count one piece of work done with a colleague."""
        fields = {"collaborator": collaborator, "success": success, "task_type": task_type}
        work = checked(Collaboration, fields)
        self._memory.save(canonical_agent(agent_name), collaborations=[work], origin=_ORIGIN)

    def get_unread_messages(self, agent_name: str) -> list[dict[str, Any]]:
        """Return every unread message, most urgent first; reading does not acknowledge.

        In the origin's shape, and besides with what ours have more.
        """
        agent = canonical_agent(agent_name)
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self._mailbox.inbox(agent, limit=100, cursor=cursor)
            done = self._mailbox.acknowledgements([m.message_id for m in page.messages])
            found += [unread_message(m, done[m.message_id]) for m in page.messages]
            if (cursor := page.next_cursor) is None:
                return found

    @_writes
    def acknowledge_message(self, message_id: str, agent_name: str) -> None:
        """Mark a message as dealt with."""
        self._mailbox.acknowledge(canonical_agent(agent_name), [message_id])

    @_writes
    def add_inter_agent_message(
        self,
        from_agent: str,
        message_type: str,
        content: str,
        target_agents: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Send a message and return its id; ``metadata["priority"]`` sets its priority.

        Without ``target_agents`` everybody gets it. It begins a thread of its own, so that it is
        no answer to work that was handed over.
        """
        if not isinstance(content, str) or isinstance(target_agents, str):
            raise InvalidInputError(
                "The order is from_agent, message_type, content (text), target_agents (a list of "
                "names), metadata. Nothing was sent."
            )
        if target_agents is not None and not target_agents:
            raise InvalidInputError(f"target_agents {NOBODY}. Nothing was sent.")
        if message_type in (RESULT, WITHDRAWAL):
            raise InvalidInputError(
                f"A {message_type} answers a delegation, and messages from Python answer none. "
                "Send it with the tool message_send, whose reply_to takes the message_id of the "
                "delegation. Nothing was sent."
            )
        sent = self._mailbox.send(
            canonical_agent(from_agent),
            message_type=message_type,
            content=content,
            target_agents=[canonical_agent(t) for t in target_agents or ()],
            metadata=metadata,
        )
        return sent.message_id

    def load_shared_context(self) -> dict[str, Any]:
        """Return what all agents of the project share, in the origin's shape.

        Messages and insights are the newest of all agents. What was stored under names of its
        own stands in ``project_context``. The revision is in the result of ``memory_load``.
        """
        return shared_by_all(
            self._memory.shared_context(),
            self._project_name,
            self._mailbox.newest(limit=MAX_SHARED_MESSAGES),
            self._memory.newest_insights(limit=MAX_SHARED_INSIGHTS),
        )


def _open(settings: Settings) -> Database:
    return open_database(settings.state_url, settings.home)


def _open_to_read(settings: Settings) -> Database:
    """Open the store; where its file is not there, one that holds nothing."""
    file = sqlite_file(settings.state_url)
    return _open(settings) if file is None or file.exists() else open_empty()


def _name_of(person: object) -> str:
    return str(person.get("agent_name") if isinstance(person, Mapping) else person)[:64]


def _says_more(person: object, stored: Mapping[str, tuple[int, float]]) -> bool:
    """Say whether a count is not one that is stored, or that was when it was loaded."""
    if not isinstance(person, Mapping):
        return True
    n, rate = stored.get(str(person.get("agent_name")), (0, 0.0))
    counted, stated = person.get("collaboration_frequency", n), person.get("success_rate", rate)
    if not isinstance(counted, int | float):
        return True
    return counted > n or (counted == n and stated != rate)


def _chosen(fields: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        return fields  # which is refused where it is checked
    chosen = dict(fields)
    for (name, template), value in _OPEN_CHOICES.items():
        if chosen.get(name) == template:
            _log.warning("%s was left as %r; stored as %r", name, template, value)
            chosen[name] = value
    return chosen


def load_my_memory(agent_name: str) -> dict[str, Any]:
    """Return one agent's memory."""
    with AgentMemoryManager() as manager:
        return manager.load_agent_memory(agent_name)


def save_my_memory(agent_name: str, memory: Mapping[str, Any]) -> None:
    """Store what ``memory`` holds and the store does not."""
    with AgentMemoryManager() as manager:
        manager.save_agent_memory(agent_name, memory)


def load_shared_context() -> dict[str, Any]:
    """Return what all agents share."""
    with AgentMemoryManager() as manager:
        return manager.load_shared_context()


def send_message_to_agents(
    from_agent: str,
    message_type: str,
    content: str,
    target_agents: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Send a message and return its id."""
    with AgentMemoryManager() as manager:
        return manager.add_inter_agent_message(
            from_agent, message_type, content, target_agents, metadata
        )


def _answer(line: str) -> dict[str, Any]:
    home, method, arguments, named = json.loads(line)
    try:
        with AgentMemoryManager(home and Path(home)) as manager:
            return {"result": getattr(manager, method)(*arguments, **named)}
    except (OrchestratorError, AttributeError, TypeError) as error:
        built_in = (kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
        return {"kind": next(built_in).__name__, "error": str(error)}


def _answer_all() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _answer_all()
