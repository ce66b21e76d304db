"""Any order of sending, reading, acknowledging and waiting leaves what a plain list would."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.messaging._quotas import Quotas
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.messaging.models import PRIORITIES, Priority
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.schema import collaborations

AGENTS = ("ml-orchestrator", "performance-engineer", "newcomer")
SHIPPED = AGENTS[:2]
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Letter:
    id: str
    sender: str
    targets: tuple[str, ...]
    rank: int
    expires_at: datetime | None
    thread: str
    key: str | None = None
    task: str | None = None  # of a delegation
    outcome: str | None = None
    done: set[str] = field(default_factory=set)


def _answered(sender: str, letter: Letter | None) -> tuple[str, ...]:
    """Return whom a reply goes to that names nobody; none is everybody."""
    if letter is None:
        return ()
    others = tuple(agent for agent in letter.targets if agent != sender)
    return (letter.sender,) if letter.sender != sender else others or letter.targets


class MailboxMachine(RuleBasedStateMachine):
    """A mailbox on SQLite beside a model of it in plain Python."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        self.database = open_database(f"sqlite:///{home / 'state.db'}", home)
        self.now = START
        many = Quotas(per_sender=10_000, per_pair=10_000, urgent=10_000)
        self.box = SqlMailbox(self.database, shipped=SHIPPED, quotas=many, now=lambda: self.now)
        self.letters: list[Letter] = []
        self.known = set(SHIPPED)

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(
        sender=st.sampled_from(AGENTS),
        to=st.sets(st.sampled_from(AGENTS), max_size=2),
        priority=st.sampled_from(PRIORITIES),
        lasts_s=st.sampled_from([None, 5.0, 50.0]),
    )
    def send(self, sender: str, to: set[str], priority: Priority, lasts_s: float | None) -> None:
        self.known.add(sender)
        self.post(sender, tuple(sorted(to & self.known)), priority=priority, lasts_s=lasts_s)

    def post(
        self,
        sender: str,
        targets: tuple[str, ...],
        *,
        priority: Priority = "medium",
        lasts_s: float | None = None,
        answers: Letter | None = None,
        key: str | None = None,
        task: str | None = None,
        outcome: str | None = None,
    ) -> Letter:
        kind = "delegation" if task else "delegation_result" if outcome else "insight"
        details = {"task_type": task, "outcome": outcome}
        self.known.add(sender)
        named, targets = targets, targets or _answered(sender, answers)
        sent = self.box.send(
            sender,
            message_type=kind,
            content=f"letter {len(self.letters)}",
            target_agents=named,
            priority=priority,
            metadata={name: value for name, value in details.items() if value},
            reply_to=answers.id if answers else None,
            expires_in_s=lasts_s,
            idempotency_key=key,
        )
        until = None if lasts_s is None else self.now + timedelta(seconds=lasts_s)
        rank = len(PRIORITIES) - 1 - PRIORITIES.index(priority)
        thread = answers.thread if answers else sent.message_id
        letter = Letter(sent.message_id, sender, targets, rank, until, thread, key, task)
        self.letters.append(letter)
        assert sent.thread_id == thread
        return letter

    @precondition(lambda self: self.letters)
    @rule(sender=st.sampled_from(AGENTS), data=st.data())
    def reply(self, sender: str, data: st.DataObject) -> None:
        self.post(sender, (), answers=data.draw(st.sampled_from(self.letters)))

    @rule(sender=st.sampled_from(AGENTS))
    def send_with_a_key_and_once_more(self, sender: str) -> None:
        letter = self.post(sender, (), key=f"key-{len(self.letters)}")
        content = f"letter {len(self.letters) - 1}"
        again: dict[str, Any] = {"message_type": "insight", "idempotency_key": letter.key}
        assert self.box.send(sender, content=content, **again).message_id == letter.id
        with pytest.raises(ConflictError, match="was used before"):
            self.box.send(sender, content="other", **again)

    @rule(sender=st.sampled_from(AGENTS), to=st.sampled_from(SHIPPED), data=st.data())
    def delegate(self, sender: str, to: str, data: st.DataObject) -> None:
        if sender != to:
            on = data.draw(st.sampled_from([None, *self.letters[-3:]]))
            self.post(sender, (to,), task="tuning", answers=on)

    @precondition(lambda self: any(letter.task for letter in self.letters))
    @rule(data=st.data(), outcome=st.sampled_from(["success", "partial", "failure"]))
    def settle(self, data: st.DataObject, outcome: str) -> None:
        work = data.draw(st.sampled_from([letter for letter in self.letters if letter.task]))
        (worker,) = work.targets
        if work.outcome is None:
            self.post(worker, (work.sender,), answers=work, outcome=outcome)
            work.outcome = outcome
            work.done.add(worker)
            return
        with pytest.raises(ConflictError, match=f"{work.id} was answered by {worker}"):
            self.post(worker, (work.sender,), answers=work, outcome=outcome)

    @precondition(lambda self: any(letter.task for letter in self.letters))
    @rule(data=st.data())
    def settle_by_the_thread(self, data: st.DataObject) -> None:
        thread = data.draw(st.sampled_from([each.thread for each in self.letters if each.task]))
        here = [letter for letter in self.letters if letter.thread == thread]
        last = [letter for letter in here if not letter.task][-1:]
        worker = data.draw(st.sampled_from([each.targets[0] for each in here if each.task]))
        works = [each for each in here if each.task and worker in each.targets]
        left = [work for work in works if work.outcome is None]
        if not last:
            return
        if len(left) != 1:
            with pytest.raises(ConflictError, match=f"{len(left)} delegations of this thread"):
                self.post(worker, (), answers=last[0], outcome="success")
            return
        self.post(worker, (left[0].sender,), answers=last[0], outcome="success")
        left[0].outcome = "success"
        left[0].done.add(worker)

    @rule(agent=st.sampled_from(AGENTS), n=st.integers(1, 3))
    def acknowledge_the_first(self, agent: str, n: int) -> None:
        waiting = self.unread(agent)[:n]
        if not waiting:
            return
        self.known.add(agent)
        done = self.box.acknowledge(agent, [letter.id for letter in waiting])
        again = self.box.acknowledge(agent, [letter.id for letter in waiting])
        for letter in waiting:
            letter.done.add(agent)
        assert set(done.acknowledged) == {letter.id for letter in waiting} == set(again.already)
        assert again.acknowledged == []

    @rule(seconds=st.sampled_from([1, 6, 60]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def open_delegations_are_those_without_a_result(self) -> None:
        for agent in AGENTS:
            mine = [
                letter.id
                for letter in self.letters
                if letter.task and letter.outcome is None
                if agent in (letter.sender, *letter.targets)
            ]
            found = self.box.inbox(agent, limit=1).open_delegations
            assert [work.message_id for work in found] == mine[:20]

    @invariant()
    def every_work_that_ended_is_counted_once_for_both(self) -> None:
        ended = [letter for letter in self.letters if letter.outcome]
        counted: Counter[tuple[str, str, bool]] = Counter()
        for work in ended:
            pair = (work.sender, *work.targets)
            for one, other in (pair, pair[::-1]):
                counted[one, other, work.outcome == "success"] += 1
        found: Counter[tuple[str, str, bool]] = Counter()
        for row in self.database.read(lambda c: c.execute(select(collaborations)).all()):
            found[row.agent, row.collaborator, True] += row.successes
            found[row.agent, row.collaborator, False] += row.failures
        assert +found == counted

    @invariant()
    def every_inbox_is_what_the_model_says(self) -> None:
        for agent in AGENTS:
            expected = [letter.id for letter in self.unread(agent)]
            assert self.pages(agent) == expected
            unread = self.box.unread(agent)
            urgent = sum(letter.rank == 0 for letter in self.unread(agent))
            assert (unread.n_unread, unread.n_urgent) == (len(expected), urgent)

    def pages(self, agent: str) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = self.box.inbox(agent, limit=2, cursor=cursor)
            found += [message.message_id for message in page.messages]
            if (cursor := page.next_cursor) is None:
                return found

    def unread(self, agent: str) -> list[Letter]:
        order: Mapping[str, int] = {letter.id: i for i, letter in enumerate(self.letters)}
        mine = [
            letter
            for letter in self.letters
            if (agent in letter.targets if letter.targets else agent != letter.sender)
            and agent not in letter.done
            and (letter.expires_at is None or letter.expires_at > self.now)
        ]
        return sorted(mine, key=lambda letter: (letter.rank, order[letter.id]))


MailboxMachine.TestCase.settings = settings(
    derandomize=True, max_examples=8, stateful_step_count=20, deadline=None
)
TestMailbox = MailboxMachine.TestCase
