"""Any order of sending, reading, acknowledging and waiting leaves what a plain list would."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ml_orchestrator.messaging._quotas import Quotas
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.messaging.models import PRIORITIES, Priority
from ml_orchestrator.storage.engine import open_database

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
    done: set[str] = field(default_factory=set)


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
        targets = tuple(sorted(to & self.known))
        sent = self.box.send(
            sender,
            message_type="insight",
            content=f"letter {len(self.letters)}",
            target_agents=targets,
            priority=priority,
            expires_in_s=lasts_s,
        )
        until = None if lasts_s is None else self.now + timedelta(seconds=lasts_s)
        rank = len(PRIORITIES) - 1 - PRIORITIES.index(priority)
        self.letters.append(Letter(sent.message_id, sender, targets, rank, until))

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
    derandomize=True, max_examples=6, stateful_step_count=15, deadline=None
)
TestMailbox = MailboxMachine.TestCase
