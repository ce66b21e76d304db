"""Runs in the real store with a worker in this process, and what must be true of them.

The worker is the engine, the lease and the executor of a real one; its death is that of the engine,
and nothing of what it was doing goes on. ``run_states`` drives it against a model.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration import worker
from ml_orchestrator.orchestration._dbos import database, engine
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.doing import StepExecutor
from ml_orchestrator.orchestration.execution import Job
from ml_orchestrator.orchestration.launch import worker_leases
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.steps import STEPS, Step, StepContext
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Node, Workflow
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

__all__ = ["LIMIT_S", "NAMES", "Deed", "World"]

LIMIT_S = 30.0
NAMES = ("first", "second", "third")
POLL_S = 0.02


class NoParams(BaseModel):
    pass


@dataclass(frozen=True, slots=True)
class Deed:
    """A step of a run that has begun, in one life of the worker."""

    run_id: str
    step: str
    life: int


@dataclass
class Ledger:
    """What the bodies of steps did, and what they are told to do."""

    life: int = 0
    n_buried: int = 0  # lives of which nothing is left
    begun: list[Deed] = field(default_factory=list)
    ended: list[Deed] = field(default_factory=list)
    orders: dict[tuple[str, str], str] = field(default_factory=dict)
    wanted: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, run_id: str, step: str) -> dict[str, Any]:
        """Wait for an order, as the body of a step; a dead worker's body does nothing more."""
        with self.lock:
            deed = Deed(run_id, step, self.life)
            self.begun.append(deed)
        while True:
            with self.lock:
                if self.n_buried > deed.life:
                    return {}  # to nobody: the engine that asked is no more
                is_dead = self.life != deed.life
                order = None if is_dead else self.orders.pop((run_id, step), None)
                if order is not None:
                    self.ended.append(deed)
            if order == "fail":
                raise InvalidInputError(f"Step {step} was told to fail.")
            if order == "finish":
                return {step: run_id}
            if order == "finish large":
                return {step: run_id, "padding": "x" * 200_000}
            time.sleep(0.002)

    def running(self, run_id: str, step: str) -> int:
        """Return how many bodies of a step are at work."""
        with self.lock:
            here = Counter(d for d in self.begun if d.life == self.life)
            here.subtract(self.ended)
            return here[Deed(run_id, step, self.life)]


LEDGERS: dict[str, Ledger] = {}


def _body(step: str) -> Callable[..., dict[str, Any]]:
    def body(
        context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        return LEDGERS[str(context.settings.home)].work(context.run_id, step)

    return body


first, second, third = map(_body, NAMES)
for _name in NAMES:
    STEPS.register(f"tiny-{_name}")(Step(f"{__name__}:{_name}"))
WORKFLOW = WORKFLOWS.register("tiny-states")(
    Workflow(
        name="tiny-states",
        description="Three steps that wait to be told how to end.",
        params=NoParams,
        nodes=tuple(Node(f"tiny-{name}") for name in NAMES),
    )
)


class World:
    """One data directory: a client, and at most one worker, in this process."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.read({}, home=home, project_dir=home)
        self.ledger = LEDGERS.setdefault(str(self.settings.home), Ledger())
        many = {**database.QUEUES, "runs": 20}
        self._patches = [patch.object(module, "QUEUES", many) for module in (database, engine)]
        for each in self._patches:
            each.start()
        database.prepare(self.settings)
        self.client = RunClient(self.settings)
        self.leases = worker_leases(self.settings)
        self._database = open_database(self.settings.state_url, home)
        self._executor_id: str | None = None

    @property
    def has_worker(self) -> bool:
        return self._executor_id is not None

    def start_worker(self) -> None:
        """Take over what the dead have left, as a worker does at its start."""
        dead = worker._bury_predecessors(self.leases)
        self._executor_id = uuid.uuid4().hex
        self.leases.take(self._executor_id)
        execute = StepExecutor(self.settings, self._database)
        engine.launch(
            self._executor_id,
            self.settings,
            execute.done,
            in_thread=self._counted(execute.in_thread),
        )
        engine.poll_every(POLL_S)
        engine.adopt(dead)
        engine.look_now()
        for name in dead:
            self.leases.forget(name)

    def _counted(self, in_thread: engine.InThread) -> engine.InThread:
        def counted(job: Job) -> dict[str, Any]:
            self.ledger.wanted[job.run_id, job.step.removeprefix("tiny-")] += 1
            return in_thread(job)

        return counted

    def kill_worker(self) -> None:
        """End the worker where it stands; what it was doing is not told to anybody."""
        with self.ledger.lock:
            self.ledger.life += 1
            self.ledger.orders.clear()
        engine.shut_down()
        with self.ledger.lock:
            self.ledger.n_buried = self.ledger.life
        self._executor_id = None

    def take_lease_away(self) -> bool:
        """Revoke the worker's lease; whether it would learn of that at its next renewal."""
        assert self._executor_id is not None
        (lease,) = [each for each in self.leases.all() if each.is_live]
        assert self.leases.revoke(lease)
        return not self.leases.renew(self._executor_id)

    def start_run(self, run_id: str) -> RunStatus:
        return self.client.start(run_id, WORKFLOW, {}, actor="tester")

    def order(self, run_id: str, step: str, what: str) -> None:
        """Tell the body of a step how to end, and wait until it has."""
        n_before = len(self.ledger.ended)
        with self.ledger.lock:
            self.ledger.orders[run_id, step] = what
        self.until(lambda: len(self.ledger.ended) > n_before, f"{step} of {run_id} ends")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        give_up_at = time.monotonic() + LIMIT_S
        while not holds():
            assert time.monotonic() < give_up_at, f"never happened: {what}"
            engine.look_now()
            time.sleep(0.01)

    def close(self) -> None:
        if self.has_worker:
            self.kill_worker()
        self.client.close()
        self._database.close()
        for each in self._patches:
            each.stop()
