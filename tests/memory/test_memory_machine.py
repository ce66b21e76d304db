"""Memory against a plain model of it, in any order of calls, as time passes and room is short."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.memory._restoring import restore
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight, Knowledge, Task, UsedRecord
from ml_orchestrator.memory.requests import UNKNOWN, Filters, Selection
from ml_orchestrator.memory.transfer import export_memory
from ml_orchestrator.storage.engine import open_database

# What is said, and a number that is the same for what says the same.
SAID = {
    "alpha beta": 0,
    "Alpha, the BETA!": 0,
    "beta alpha": 1,
    "gamma -1": 2,
    "gamma 1": 3,
    "gämma 1": 3,
    "delta \x00 ' \" NEAR(": 4,
}
WORDS = {"alpha": {0, 1}, "beta": {0, 1}, "gamma": {2, 3}, "delta": {4}, "near": {4}, "zeta": set()}
KINDS = ("insight", "knowledge", "task")
_NUMBERS = count()
MAX_RECORDS = 4  # of one agent and kind


class Clock:
    """A time that goes on a little with each look, and by days when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass
class Known:
    """A record as the model has it."""

    kind: str
    agent: str
    meaning: int
    ids: list[str] = field(default_factory=list)  # the last is the live one
    n_helped: int = 0
    is_pinned: bool = False
    expires_at: datetime | None = None

    @property
    def usefulness(self) -> float:
        """The mean of Beta(1 + helped, 1)."""
        return (1 + self.n_helped) / (2 + self.n_helped)


class MemoryMachine(RuleBasedStateMachine):
    """Two agents save, use, forget, export and import; the model says what must be there."""

    store: SqlMemoryStore
    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self.agents = [f"a{next(_NUMBERS)}", f"a{next(_NUMBERS)}"]
        self.known: list[Known] = []
        self.gone: list[str] = []

    def teardown(self) -> None:
        for agent in self.agents:
            selection = Selection(of_agent=agent, with_pinned=True)
            digest = self.store.plan_forgetting(selection).digest
            self.store.forget(selection, digest=digest, actor="x", reason="the end")

    @property
    def live(self) -> list[Known]:
        """What has not expired."""
        now = self.clock.now
        return [k for k in self.known if k.expires_at is None or k.expires_at > now]

    def tidied(self, agent: str, kind: str | None = None) -> None:
        """Do to the model what each save does: expired ones go, and what is beyond the limit."""
        for known in [k for k in self.known if k not in self.live]:
            self.drop(known)
        mine = [k for k in self.known if (k.agent, k.kind) == (agent, kind)]
        loose = [k for k in mine if not k.is_pinned]
        for _ in range(len(mine) - MAX_RECORDS):
            if loose:
                least = min(loose, key=lambda k: k.usefulness)  # of equals the oldest
                loose.remove(least)
                self.drop(least)

    def drop(self, known: Known) -> None:
        self.known.remove(known)
        self.gone += known.ids[:-1] or known.ids  # what was merged went with it

    @rule(days=st.integers(1, 3))
    def time_passes(self, days: int) -> None:
        self.clock.now += timedelta(days=days)

    @rule(
        who=st.integers(0, 1),
        kind=st.sampled_from(KINDS),
        said=st.sampled_from(sorted(SAID)),
        pinned=st.sampled_from([False, False, True]),
        days=st.sampled_from([None, 1, 2, 4]),
    )
    def save(self, who: int, kind: str, said: str, pinned: bool, days: int | None = None) -> None:
        agent = self.agents[who]
        saved = self.store.save(agent, pinned=pinned, expires_in_days=days, **_given(kind, said))
        (id_,) = saved.record_ids
        same = [
            k
            for k in self.known
            if (k.agent, k.kind, k.meaning) == (agent, kind, SAID[said]) and kind != "task"
        ]
        known = same[0] if same else Known(kind, agent, SAID[said])
        end = None if days is None else datetime.fromisoformat(saved.saved_at) + timedelta(days)
        has_none = end is None or (bool(known.ids) and known.expires_at is None)
        known.expires_at = None if has_none else max(filter(None, (end, known.expires_at)))
        known.ids.append(id_)
        known.is_pinned = known.is_pinned or pinned
        self.known = [k for k in self.known if k is not known] + [known]
        assert saved.n_merged == len(same)
        self.tidied(agent, kind)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        self.tell_use(data.draw(st.sampled_from(self.live)), data)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def use_what_is_gone(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(self.gone))
        used = [UsedRecord(record_id=id_, helped=True)]
        saved = self.store.save(self.agents[0], used_records=used, unpin=[id_])
        assert saved.unknown_records == [id_]
        self.tidied(self.agents[0])

    def tell_use(self, known: Known, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(known.ids))
        saved = self.store.save(known.agent, used_records=[UsedRecord(record_id=id_, helped=True)])
        known.n_helped += 1
        assert saved.unknown_records == []
        self.tidied(known.agent)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), is_pinned=st.booleans())
    def pin_or_unpin(self, data: st.DataObject, is_pinned: bool) -> None:
        known = data.draw(st.sampled_from(self.live))
        id_ = data.draw(st.sampled_from(known.ids))
        ids: dict[str, Any] = {"pin" if is_pinned else "unpin": [id_]}
        assert self.store.save(known.agent, **ids).unknown_records == []
        known.is_pinned = is_pinned
        self.tidied(known.agent)

    @precondition(lambda self: any(known.kind != "task" for known in self.live))
    @rule(data=st.data(), is_used=st.booleans(), days=st.sampled_from([None, 1, 2, 4]))
    def say_it_again(self, data: st.DataObject, is_used: bool, days: int | None) -> None:
        known = data.draw(st.sampled_from([k for k in self.live if k.kind != "task"]))
        if is_used:
            self.tell_use(known, data)
        wordings = [said for said, meaning in sorted(SAID.items()) if meaning == known.meaning]
        said = data.draw(st.sampled_from(wordings))
        self.save(self.agents.index(known.agent), known.kind, said, False, days)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), with_pinned=st.booleans())
    def forget(self, data: st.DataObject, with_pinned: bool) -> None:
        known = data.draw(st.sampled_from(self.known))
        selection = Selection(record_ids=known.ids[-1:], with_pinned=with_pinned)
        plan = self.store.plan_forgetting(selection)
        done = self.store.forget(selection, digest=plan.digest, actor="x", reason="test")
        if known.is_pinned and not with_pinned:
            assert done.plan.pinned == known.ids[-1:]
            return
        self.drop(known)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def forget_by_an_old_plan(self, data: st.DataObject) -> None:
        agent = data.draw(st.sampled_from(self.known)).agent
        selection = Selection(of_agent=agent, with_pinned=True)
        plan = self.store.plan_forgetting(selection)
        self.save(self.agents.index(agent), "task", "beta alpha", False)
        try:
            self.store.forget(selection, digest=plan.digest, actor="x", reason="test")
        except ConflictError:
            return
        raise AssertionError("memory had changed since the plan")

    @rule()
    def read_back_an_export(self) -> None:
        items = export_memory(self.store.database)["records"]
        mine = [item for item in items if item["agent"] in self.agents]
        fates = [
            self.store.database.write(partial(restore, item=item, origin=UNKNOWN)) for item in mine
        ]
        assert "added" not in fates

    @invariant()
    def lists_and_counts_agree(self) -> None:
        for agent in self.agents:
            memory = self.store.load(agent, limit=50)
            shown: dict[str, list[Any]] = {
                "task": memory.task_history,
                "insight": memory.optimization_insights,
                "knowledge": memory.domain_knowledge,
            }
            n = dict(
                zip(KINDS, (memory.n_insights, memory.n_knowledge, memory.n_tasks), strict=True)
            )
            for kind in KINDS:
                stored = [k for k in self.known if (k.agent, k.kind) == (agent, kind)]
                mine = [k for k in stored if k in self.live]
                assert n[kind] == len(stored)
                assert [r.record_id for r in shown[kind]] == [k.ids[-1] for k in reversed(mine)]
                for record, known in zip(shown[kind], reversed(mine), strict=True):
                    assert record.n_merged == len(known.ids)
                    assert record.n_helped == known.n_helped
                    assert record.is_pinned == known.is_pinned

    @rule()
    def search_finds_exactly_what_holds_the_word(self) -> None:
        for word, meanings in WORDS.items():
            for agent in self.agents:
                found = self.store.search(word.upper(), Filters(agent=agent), limit=100)
                wanted = {
                    k.ids[-1] for k in self.live if k.agent == agent and k.meaning in meanings
                }
                assert {hit.record_id for hit in found.hits} == wanted


def _given(kind: str, said: str) -> dict[str, Any]:
    if kind == "task":
        return {"task": Task(task_description=said, outcome="success")}
    if kind == "insight":
        return {"insights": [Insight(area="x", insight=said, impact="low", confidence=0.5)]}
    return {"knowledge": [Knowledge(subject="x", statement=said, source="s", confidence=0.5)]}


def test_memory_behaves_like_its_model() -> None:
    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'state.db'}", Path(folder))
        MemoryMachine.clock = Clock()
        MemoryMachine.store = SqlMemoryStore(
            database, max_records=MAX_RECORDS, now=MemoryMachine.clock
        )
        run_state_machine_as_test(
            MemoryMachine,
            settings=settings(
                max_examples=20,
                stateful_step_count=40,
                derandomize=True,
                database=None,
                deadline=None,
            ),
        )
        database.close()
