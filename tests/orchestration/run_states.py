"""The life of runs as a state machine: the store and a worker on one side, a model on the other."""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.orchestration.run_world import NAMES, World

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.orchestration.attempts import first_of, next_of
from ml_orchestrator.orchestration.models import RunStatus

__all__ = ["RunStates"]

MOST_RUNS = 4


@dataclass
class Run:
    """What the model knows of one attempt of a run."""

    run_id: str
    state: str = "queued"
    n_done: int = 0
    is_resumed: bool = False
    is_asked_for: bool = False  # the engine has come to its step

    @property
    def key(self) -> str:
        return first_of(self.run_id)

    @property
    def step(self) -> str:
        return NAMES[self.n_done]


@dataclass
class Model:
    runs: dict[str, Run] = field(default_factory=dict)
    at_work: set[tuple[str, str]] = field(default_factory=set)  # bodies of steps in this life

    def of(self, *states: str) -> list[Run]:
        return [run for run in self.runs.values() if run.state in states]


class RunStates(RuleBasedStateMachine):
    """Start, finish, fail, cancel and resume runs; kill workers, start them, take their lease."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.world = World(Path(self.folder.name))
        self.model = Model()
        self.n_wanted: Counter[tuple[str, str]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.start_worker()

    @precondition(lambda self: len(self.model.runs) < MOST_RUNS)
    @rule()
    def start_run(self) -> None:
        run = Run(f"run-{len(self.model.runs)}x")
        self.world.start_run(run.run_id)
        self.model.runs[run.run_id] = run
        self._pick_up()

    @precondition(lambda self: self._active())
    @rule(data=st.data())
    def finish_step(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self._active()), label="finishes a step")
        self._end_body(run, "finish")
        self._go_on(run)

    @precondition(lambda self: self._active())
    @rule(data=st.data())
    def fail_step(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self._active()), label="fails a step")
        self._end_body(run, "fail")
        run.state = "failed"

    @precondition(lambda self: self.model.of("queued", "running"))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        unfinished = self.model.of("queued", "running")
        run = data.draw(st.sampled_from(unfinished), label="is cancelled")
        assert self.world.client.cancel(run.run_id).state == "cancelled"
        assert self.world.client.cancel(run.run_id).state == "cancelled"
        run.state = "cancelled"  # a body that is at work ignores that

    @precondition(lambda self: self._orphans())
    @rule(data=st.data(), how=st.sampled_from(["finish", "fail"]))
    def end_what_ignored_the_cancel(self, data: st.DataObject, how: str) -> None:
        run_id, step = data.draw(st.sampled_from(self._orphans()), label="ends late")
        self.world.order(run_id, step, how)
        self.model.at_work.discard((run_id, step))

    @precondition(lambda self: self.model.of("cancelled", "failed"))
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        ended = self.model.of("cancelled", "failed")
        run = data.draw(st.sampled_from(ended), label="is resumed")
        if run.is_resumed:
            with pytest.raises(ConflictError, match="resumed before"):
                self.world.client.resume(run.run_id)
            return
        going_on = self.world.client.resume(run.run_id)
        if run.state == "cancelled":
            assert going_on.run_id == run.run_id
            run.state, run.is_asked_for = "queued", False
        else:
            run.is_resumed = True
            after = Run(next_of(run.run_id), n_done=run.n_done)
            assert going_on.run_id == after.run_id
            self.model.runs[after.run_id] = after
        self._pick_up()

    @precondition(lambda self: self.model.of("succeeded"))
    @rule(data=st.data())
    def touch_what_is_over(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.model.of("succeeded")), label="is over")
        with pytest.raises(ConflictError):
            self.world.client.cancel(run.run_id)
        with pytest.raises(ConflictError):
            self.world.client.resume(run.run_id)

    @precondition(lambda self: self.world.has_worker)
    @rule()
    def kill_worker(self) -> None:
        self.world.kill_worker()
        self.model.at_work.clear()

    @precondition(lambda self: self.world.has_worker)
    @rule()
    def take_the_lease(self) -> None:
        assert self.world.take_lease_away()  # it would learn of it, and ends itself
        self.world.kill_worker()
        self.model.at_work.clear()

    @precondition(lambda self: not self.world.has_worker)
    @rule()
    def start_worker(self) -> None:
        self.world.start_worker()
        for run in self.model.of("queued", "running"):
            run.is_asked_for = False
        self._pick_up()

    @invariant()
    def the_store_agrees_with_the_model(self) -> None:
        for run in self.model.runs.values():
            status = self.world.client.status(run.run_id)
            assert status.state == run.state, run
            self._steps_agree(run, status)
        listed = self.world.client.runs(limit=100, cursor=None).runs
        assert {run.run_id for run in listed} == set(self.model.runs)

    @invariant()
    def no_step_runs_beside_itself(self) -> None:
        for run in self.model.runs.values():
            for step in NAMES:
                expected = int((run.key, step) in self.model.at_work)
                assert self.world.ledger.running(run.key, step) == expected, (run, step)

    def teardown(self) -> None:
        try:
            self._let_everything_finish()
        finally:
            self.world.close()
            self.folder.cleanup()

    def _let_everything_finish(self) -> None:
        if not self.world.has_worker:
            self.start_worker()
        for run in self.model.of("queued", "running"):
            while run.state != "succeeded":
                self._end_body(run, "finish")
                self._go_on(run)
            status = self.world.client.status(run.run_id)
            assert status.result == {step: run.key for step in NAMES}

    def _go_on(self, run: Run) -> None:
        run.n_done, run.is_asked_for = run.n_done + 1, False
        run.state = "succeeded" if run.n_done == len(NAMES) else run.state
        self._pick_up()

    def _steps_agree(self, run: Run, status: RunStatus) -> None:
        done = [step.name for step in status.steps if step.state == "succeeded"]
        assert done == [f"tiny-{name}" for name in NAMES[: run.n_done]], run
        if run.state == "failed":
            assert status.error == f"Step {run.step} was told to fail."

    def _active(self) -> list[Run]:
        """Return runs whose step is at work for them."""
        return self.model.of("running") if self.world.has_worker else []

    def _orphans(self) -> list[tuple[str, str]]:
        """Return bodies that are at work for nobody, since their run was cancelled."""
        wanted = {(run.key, run.step) for run in self.model.of("running")}
        return sorted(self.model.at_work - wanted)

    def _pick_up(self) -> None:
        """Let a living worker take what it can, and wait until it has."""
        if not self.world.has_worker:
            return
        for run in self.model.of("queued", "running"):
            run.state = "running"
            if not run.is_asked_for:
                self._ask_for_step(run)

    def _ask_for_step(self, run: Run) -> None:
        """Wait until the engine has come to the run's step, and its body is at work."""
        ledger, place = self.world.ledger, (run.key, run.step)
        run.is_asked_for = True
        self.n_wanted[place] += 1
        self.model.at_work.add(place)
        n_wanted = self.n_wanted[place]
        self.world.until(lambda: ledger.wanted[place] == n_wanted, f"{place} is come to")
        self.world.until(lambda: ledger.running(*place) >= 1, f"{place} begins")
        self.world.until(
            lambda: self.world.client.status(run.run_id).state == "running", f"{run} runs"
        )

    def _end_body(self, run: Run, how: str) -> None:
        self.world.order(run.key, run.step, how)
        self.model.at_work.discard((run.key, run.step))
        done = run.n_done + (how == "finish")
        over = {"fail": "failed"}.get(how) or ("succeeded" if done == len(NAMES) else "running")

        def is_recorded() -> bool:
            status = self.world.client.status(run.run_id)
            n_done = sum(step.state == "succeeded" for step in status.steps)
            return (status.state, n_done) == (over, done)

        self.world.until(is_recorded, f"{run} is {over} with {done} steps")
