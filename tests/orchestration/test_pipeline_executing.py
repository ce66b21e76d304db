"""Carrying pipelines out without an engine: any graph, any failures, any crash and replay."""

import asyncio
import random
from typing import Any

import pytest
import tests.orchestration.tiny_pipelines as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.run_statuses import run_status

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.models import RunState, RunStatus
from ml_orchestrator.orchestration.pipelines.admission import Admission
from ml_orchestrator.orchestration.pipelines.drawing import graph_text
from ml_orchestrator.orchestration.pipelines.executing import Record, carry_out, failed
from ml_orchestrator.orchestration.pipelines.graph import needs_of, ordered
from ml_orchestrator.orchestration.pipelines.looking import steps_of
from ml_orchestrator.orchestration.pipelines.models import PipelineSpec, Retries, digest_of
from ml_orchestrator.orchestration.pipelines.picture import graph_png
from ml_orchestrator.orchestration.pipelines.planning import Planned
from ml_orchestrator.orchestration.pipelines.settling import Settled
from ml_orchestrator.orchestration.pipelines.units import (
    StoredPlan,
    Unit,
    parse_unit,
    unit_name,
)

PLUGIN = tiny.__name__


def plan_of(steps: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of a run as it is enqueued."""
    spec = PipelineSpec.model_validate({"name": "random", "steps": steps})
    planned = Planned(spec, {}, digest_of(spec), ordered(needs_of(spec)), {"note": 1}, [])
    return {
        "workflow": planned.workflow,
        "params": {},
        "actor": "tester",
        "steps": planned.order,
        "requested_at": "2026-01-01T00:00:00+00:00",
        "pipeline": planned.stored(),
    }


class Crash(BaseException):
    """The worker dies."""


class Log:
    """A record that outlives its worker; units end in an order drawn from a seed."""

    def __init__(self, outcomes: dict[str, dict[str, Any]], seed: int) -> None:
        self.outcomes = outcomes
        self.rows: dict[int, tuple[str, dict[str, Any]]] = {}
        self.begun: list[str] = []
        self.crash_after: int | None = None
        self._random = random.Random(seed)
        self._next = 0

    def reserve(self, name: str) -> Record:
        self._next += 1
        place = self._next

        async def record(unit: Unit) -> dict[str, Any]:
            if place in self.rows:
                kept, result = self.rows[place]
                assert kept == name, "a place was given to another unit"
                return result
            self.begun.append(name)
            for _ in range(self._random.randint(0, 5)):
                await asyncio.sleep(0)
            if self.crash_after is not None and len(self.rows) >= self.crash_after:
                raise Crash
            self.rows[place] = (name, self.outcomes.get(name, {"output": {"value": 1}}))
            return self.rows[place][1]

        return record

    def again(self) -> None:
        """Begin as the next worker does."""
        self._next, self.crash_after = 0, None

    @property
    def as_rows(self) -> list[dict[str, Any]]:
        """Return them as the engine lists them."""
        times = {"started_at_epoch_ms": 1_000, "completed_at_epoch_ms": 2_000}
        return [{"function_name": n, "output": result, **times} for n, result in self.rows.values()]


def carried_out(plan: dict[str, Any], log: Log) -> tuple[str, Any]:
    """Carry a plan out and return how it ended."""
    try:
        found = carry_out(StoredPlan.of(plan), run_id="run", run_attempt=1, reserve=log.reserve)
        return "succeeded", asyncio.run(found)
    except StepFailedError as error:
        return "failed", str(error)
    except Crash:
        return "crashed", None


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Draw steps that need earlier ones, and which of their units fail."""
    steps: dict[str, Any] = {}
    outcomes: dict[str, dict[str, Any]] = {}
    for number in range(draw(st.integers(1, 9))):
        name = f"s{number}"
        step: dict[str, Any] = {"uses": "note", "with": {"ledger": "x", "label": name}}
        earlier = list(steps)
        if earlier:
            step["needs"] = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True))
        step["retries"] = draw(st.integers(0, 2))
        if draw(st.booleans()):
            step["when"] = draw(st.sampled_from(["1 == 1", "1 == 2"]))
        n_items = draw(st.sampled_from([None, 0, 2]))
        if n_items is not None:
            step["for_each"] = list(range(n_items))
        items = [None] if n_items is None else [*range(n_items)]
        for item in items:
            for attempt in range(1, step["retries"] + 2):
                if draw(st.integers(0, 3)) == 0:
                    is_final = draw(st.booleans())
                    outcomes[unit_name(name, item, attempt)] = {"error": "no", "is_final": is_final}
        steps[name] = step
    return steps, outcomes


@settings(max_examples=100, deadline=None)
@given(pipelines(), st.integers(0, 2**16), st.integers(0, 12))
def test_whatever_fails_or_dies_each_unit_is_done_once_and_after_what_it_needs(
    drawn: tuple[dict[str, Any], dict[str, dict[str, Any]]], seed: int, crash_after: int
) -> None:
    steps, outcomes = drawn
    plan = plan_of(steps)
    whole = Log(outcomes, seed)
    expected = carried_out(plan, whole)
    crashing = Log(outcomes, seed + 1)
    crashing.crash_after = crash_after
    first = carried_out(plan, crashing)
    done = {name for name, _ in crashing.rows.values()}
    crashing.begun.clear()
    crashing.again()
    again = carried_out(plan, crashing)

    assert again == expected
    assert first[0] in ("crashed", expected[0])
    assert not done & set(crashing.begun)
    assert sorted(n for n, _ in crashing.rows.values()) == sorted(n for n, _ in whole.rows.values())
    state: RunState = "succeeded" if expected[0] == "succeeded" else "failed"
    found = {s.name: s for s in steps_of(plan, "run", state, whole.as_rows)}
    assert {name: found[name].state for name in steps} == model_of(steps, outcomes)


def model_of(steps: dict[str, Any], outcomes: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return how each step must end, worked out step by step from what the pages promise."""
    ends: dict[str, str] = {}
    lost: set[str] = set()
    for name, step in steps.items():
        needs = step.get("needs", [])
        if any(ends[n] == "failed" or n in lost for n in needs):
            ends[name] = "skipped"
            lost.add(name)
        elif (needs and all(ends[n] == "skipped" for n in needs)) or step.get("when") == "1 == 2":
            ends[name] = "skipped"
        else:
            for_each = step.get("for_each")
            items = [None] if for_each is None else [*range(len(for_each))]
            good = all(succeeds(name, item, step, outcomes) for item in items)
            ends[name] = "succeeded" if good else "failed"
    return ends


def succeeds(
    name: str, item: int | None, step: dict[str, Any], outcomes: dict[str, dict[str, Any]]
) -> bool:
    for attempt in range(1, step["retries"] + 2):
        outcome = outcomes.get(unit_name(name, item, attempt))
        if outcome is None:
            return True
        if outcome["is_final"]:
            return False
    return False


def test_a_step_that_raises_ends_the_others_and_is_raised_itself() -> None:
    plan = plan_of({name: {"uses": "note", "with": {}} for name in ("a", "b", "c")})
    ended: list[str] = []

    def reserve(name: str) -> Record:
        async def record(unit: Unit) -> dict[str, Any]:
            if name == "b":
                raise Crash
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(name)
            return {}

        return record

    with pytest.raises(Crash):
        asyncio.run(carry_out(StoredPlan.of(plan), run_id="run", run_attempt=1, reserve=reserve))
    assert sorted(ended) == ["a", "c"]


@pytest.mark.parametrize("name", ["a", "a[0]", "a#2", "a-b[12]#3"])
def test_the_name_of_a_unit_can_be_read_back(name: str) -> None:
    assert unit_name(*parse_unit(name)) == name


def test_waits_grow_up_to_their_limit() -> None:
    retries = Retries(max=5, delay_s=2, factor=3, max_delay_s=20)

    assert [retries.wait_s(attempt) for attempt in range(1, 6)] == [0, 2, 6, 18, 20]


async def test_steps_are_admitted_in_turn_and_never_beyond_what_there_is() -> None:
    admission, held, most = Admission(cpu=2, memory_mb=100), [0.0, 0.0], [0.0, 0.0]
    order: list[int] = []

    async def work(number: int, cpu: float, memory_mb: float) -> None:
        async with admission.granted(cpu, memory_mb):
            order.append(number)
            held[0], held[1] = held[0] + cpu, held[1] + memory_mb
            most[:] = [max(*pair) for pair in zip(held, most, strict=True)]
            await asyncio.sleep(0)
            held[0], held[1] = held[0] - cpu, held[1] - memory_mb

    asks = [(1.0, 60.0), (1.0, 60.0), (2.0, 0.0), (0.5, 10.0), (0.0, 100.0), (1.0, 0.0)]
    tasks = [asyncio.create_task(work(n, *ask)) for n, ask in enumerate(asks)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert order == [0, 1, 3, 4, 5]
    assert most[0] <= 2
    assert most[1] <= 100
    with pytest.raises(InvalidInputError, match="asks for 3 cores and 0 MB; this worker has 2"):
        async with admission.granted(3, 0):
            raise AssertionError("it was let in")
    async with admission.granted(2, 100):
        pass


@pytest.fixture
def diamond() -> RunStatus:
    needs: dict[str, list[str]] = {"top": [], "left": ["top"], "right": ["top"]}
    steps = {name: {"uses": "note", "with": {}, "needs": wanted} for name, wanted in needs.items()}
    plan = plan_of({**steps, "join": {"uses": "note", "with": {}, "needs": ["left", "right"]}})
    rows = Log({"left": {"error": "It is \x1b[31mred."}}, 0)
    carried_out(plan, rows)
    return run_status(state="failed", steps=steps_of(plan, "run-1", "failed", rows.as_rows))


def test_a_graph_is_drawn_as_text_and_as_a_picture(diamond: RunStatus) -> None:
    text = graph_text(diamond)

    assert text.splitlines() == [
        "+ top  succeeded, 1.0 s",
        "  ! left  failed, 1 failed try, 1.0 s  <- top",
        "      It is ?[31mred.",
        "  + right  succeeded, 1.0 s  <- top",
        "    - join  skipped  <- left, right",
        "        left did not succeed",
    ]
    assert graph_png(diamond).startswith(b"\x89PNG\r\n\x1a\n")


def test_a_step_is_named_once_in_why_it_failed() -> None:
    said = "Step 'flaky' failed unexpectedly. The traceback is in logs/worker.log."
    assert failed({"flaky": Settled("failed", error=said)}) == said
    assert failed({"flaky": Settled("failed", error="Why.")}) == "Step 'flaky' failed: Why."
