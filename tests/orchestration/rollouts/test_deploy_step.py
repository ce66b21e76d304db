"""The step of pipelines that brings a version before users, in the small world."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.orchestration.rollouts.acting import QUICK
from tests.orchestration.rollouts.small_world import ALIAS, MODEL, NEW, Bench, SmallRegistry

from ml_orchestrator.errors import ConflictError, UnavailableError
from ml_orchestrator.orchestration.steps import StepContext
from ml_orchestrator.orchestration.steps import deploy as step
from ml_orchestrator.settings import Settings

WANTED = {"model": MODEL, "version": NEW, "alias": ALIAS, "spec": QUICK, "reason": "A test."}


class Worker:
    """In a worker's place: carries a roll-out out as soon as its run is started."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.begun: list[str] = []

    def start(self, run_id: str, workflow: Any, params: Mapping[str, Any], *, actor: str) -> None:
        rollout_id = params["rollout_id"]
        if rollout_id not in self.begun:
            self.begun.append(rollout_id)
            self._bench.run(rollout_id)

    def close(self) -> None: ...


@pytest.fixture
def worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Worker:
    found, registry = Worker(bench), SimpleNamespace(store=SmallRegistry(bench.world))
    monkeypatch.setattr(step, "RunClient", lambda _: found)
    monkeypatch.setattr(step, "RolloutDesk", lambda *_: bench.desk)
    monkeypatch.setattr(step, "open_registry", lambda *_: registry)
    return found


def context(home: Path) -> StepContext:
    settings = Settings.read({}, home=home, project_dir=home)
    return StepContext("run-1", "tester", settings, lambda *_: None, "steps/bring")


def test_a_deployment_that_went_back_is_tried_again_by_another_roll_out(
    bench: Bench, worker: Worker, tmp_path: Path
) -> None:
    with bench.world.change() as content:
        content["dies_at_load"] = [NEW]
    with pytest.raises(ConflictError, match="died while it was loaded"):
        step.deploy(context(tmp_path), WANTED, {})
    with bench.world.change() as content:
        content["dies_at_load"] = []
    again = step.deploy(context(tmp_path), WANTED, {})
    killed_before_it_was_recorded = step.deploy(context(tmp_path), WANTED, {})

    assert again["state"] == "promoted"
    assert killed_before_it_was_recorded == again
    assert len(worker.begun) == 2
    assert worker.begun[1] == again["rollout_id"]
    assert bench.world.read()["alias"] == NEW


def test_killed_while_its_deployment_goes_back_the_step_tells_that_and_begins_no_other(
    bench: Bench, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.world.change() as content:
        content["dies_at_load"] = [NEW]

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(worker, "start", dies)
        with pytest.raises(KeyboardInterrupt):
            step.deploy(context(tmp_path), WANTED, {})
    latest = bench.journal.latest(MODEL)
    assert latest is not None
    bench.run(latest.id)  # it ends before the step is there again
    with pytest.raises(ConflictError, match=latest.id):
        step.deploy(context(tmp_path), WANTED, {})

    now = bench.journal.latest(MODEL)
    assert now is not None
    assert now.id == latest.id


def test_a_database_that_is_away_for_a_while_ends_no_step_that_follows_a_roll_out(
    bench: Bench, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, looks, told = bench.desk.status, iter(["away", "half", "away"]), []

    def status(*given: Any, **more: Any) -> Any:
        look, found = next(looks, "usual"), usual(*given, **more)
        if look == "away":
            raise UnavailableError("the server closed the connection")
        half = {"state": "canary", "fraction": 0.5}
        return found.model_copy(update=half) if look == "half" else found

    monkeypatch.setattr(bench.desk, "status", status)
    monkeypatch.setattr(step, "LOOK_S", 0.001)
    following = replace(context(tmp_path), report=lambda *given: told.append(given[:2]))

    assert step.deploy(following, WANTED, {})["state"] == "promoted"
    away = "the server closed the connection"
    assert [(done, message.partition(": ")[2]) for done, message in told if away in message] == [
        (0.0, away),
        (0.5, away),  # what was done stays done
    ]
