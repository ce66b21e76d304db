"""Memory against a plain model of it, in any order of calls."""

from dataclasses import dataclass, field
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
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight, Knowledge, Task, UsedRecord
from ml_orchestrator.memory.requests import UNKNOWN, Filters, Selection
from ml_orchestrator.memory.transfer import export_memory, restore
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


@dataclass
class Known:
    """A record as the model has it."""

    kind: str
    agent: str
    meaning: int
    ids: list[str] = field(default_factory=list)  # the last is the live one
    n_helped: int = 0
    is_pinned: bool = False


class MemoryMachine(RuleBasedStateMachine):
    """Two agents save, use, forget, export and import; the model says what must be there."""

    store: SqlMemoryStore

    def __init__(self) -> None:
        super().__init__()
        self.agents = [f"a{next(_NUMBERS)}", f"a{next(_NUMBERS)}"]
        self.known: list[Known] = []
        self.gone: list[str] = []

    @rule(
        who=st.integers(0, 1),
        kind=st.sampled_from(KINDS),
        said=st.sampled_from(sorted(SAID)),
        pinned=st.booleans(),
    )
    def save(self, who: int, kind: str, said: str, pinned: bool) -> None:
        agent = self.agents[who]
        saved = self.store.save(agent, pinned=pinned, **_given(kind, said))
        (id_,) = saved.record_ids
        same = [
            k
            for k in self.known
            if (k.agent, k.kind, k.meaning) == (agent, kind, SAID[said]) and kind != "task"
        ]
        known = same[0] if same else Known(kind, agent, SAID[said])
        known.ids.append(id_)
        known.is_pinned = known.is_pinned or pinned
        self.known = [k for k in self.known if k is not known] + [known]
        assert saved.n_merged == len(same)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        self.tell_use(data.draw(st.sampled_from(self.known)), data)

    def tell_use(self, known: Known, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(known.ids))
        saved = self.store.save(known.agent, used_records=[UsedRecord(record_id=id_, helped=True)])
        known.n_helped += 1
        assert saved.unknown_records == []

    @precondition(lambda self: self.known)
    @rule(data=st.data(), is_pinned=st.booleans())
    def pin_or_unpin(self, data: st.DataObject, is_pinned: bool) -> None:
        known = data.draw(st.sampled_from(self.known))
        id_ = data.draw(st.sampled_from(known.ids))
        ids: dict[str, Any] = {"pin" if is_pinned else "unpin": [id_]}
        assert self.store.save(known.agent, **ids).unknown_records == []
        known.is_pinned = is_pinned

    @precondition(lambda self: any(known.kind != "task" for known in self.known))
    @rule(data=st.data(), is_used=st.booleans())
    def say_it_again(self, data: st.DataObject, is_used: bool) -> None:
        known = data.draw(st.sampled_from([k for k in self.known if k.kind != "task"]))
        if is_used:
            self.tell_use(known, data)
        wordings = [said for said, meaning in sorted(SAID.items()) if meaning == known.meaning]
        said = data.draw(st.sampled_from(wordings))
        self.save(self.agents.index(known.agent), known.kind, said, False)

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
        self.known.remove(known)
        self.gone += known.ids[-1:]

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
        added = [
            self.store.database.write(partial(restore, item=item, origin=UNKNOWN)) for item in mine
        ]
        assert not any(added)

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
                mine = [k for k in self.known if (k.agent, k.kind) == (agent, kind)]
                assert n[kind] == len(mine)
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
                    k.ids[-1] for k in self.known if k.agent == agent and k.meaning in meanings
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
        MemoryMachine.store = SqlMemoryStore(database)
        run_state_machine_as_test(
            MemoryMachine,
            settings=settings(
                max_examples=15,
                stateful_step_count=40,
                derandomize=True,
                database=None,
                deadline=None,
            ),
        )
        database.close()
