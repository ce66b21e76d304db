"""Pipelines whose worker is killed, whose person decides late, whose plan is of another release."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.orchestration.pipeline_bench import PipelineBench, open_pipelines
from tests.orchestration.workflow_bench import until

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.orchestration.pipelines.scheduling import PipelineSchedules
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.orchestration.schedules import Cadence, Schedules
from ml_orchestrator.orchestration.steps.tell import AGENTS
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.storage.engine import open_database


@pytest.fixture
def pipes(tmp_path: Path) -> Iterator[PipelineBench]:
    with open_pipelines(tmp_path / "home", worker_idle_s=60, lease_ttl_s=1.0) as opened:
        yield opened


def test_a_worker_killed_in_a_fan_out_leaves_nothing_undone_and_nothing_done_twice(
    pipes: PipelineBench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = pipes.run(
        "run-killed",
        {
            "before": {"with": {"value": 1}},
            "fan": {
                "needs": ["before"],
                "for_each": [
                    {"label": "quick-0", "gate": None},
                    {"label": "held-1", "gate": str(gate)},
                    {"label": "quick-2", "gate": None},
                    {"label": "held-3", "gate": str(gate)},
                ],
                "with": {"label": "${item.label}", "gate": "${item.gate}"},
            },
            "after": {"needs": ["fan"]},
        },
    )
    pipes.begun("held-1")
    pipes.begun("held-3")

    def half_is_recorded() -> bool:
        node = pipes.steps(run_id)["fan"].node
        return node is not None and node.n_done == 2

    until(half_is_recorded, what="the quick ones are on record")
    os.kill(pipes.worker().pid, signal.SIGKILL)
    pipes.begun("held-1", times=2)
    pipes.begun("held-3", times=2)
    gate.touch()
    status = pipes.finished(run_id)

    assert status.state == "succeeded"
    labels = ("before", "quick-0", "quick-2", "after")
    assert [pipes.n_begun(label) for label in labels] == [1, 1, 1, 1]
    assert [pipes.n_begun(label) for label in ("held-1", "held-3")] == [2, 2]


class Person:
    """Decides what pipelines ask."""

    def __init__(self, pipes: PipelineBench) -> None:
        self._database = open_database(pipes.settings.state_url, pipes.settings.home)
        self._approvals = open_approvals(self._database)
        self.progress = ProgressStore(self._database)
        self.mailbox = SqlMailbox(self._database, shipped=AGENTS)
        self.schedules = PipelineSchedules(pipes.settings, self._database)

    def make_due(self) -> None:
        """Let the scheduled pipeline be due now."""
        Schedules(self._database).trigger("pipeline", "tested")

    def asked(self) -> Approval:
        """Wait until something is asked and return it."""
        until(lambda: bool(self._approvals.pending()), what="a person is asked")
        (found,) = self._approvals.pending()
        return found

    def decides(self, asked: Approval, verdict: Literal["approved", "rejected"]) -> None:
        self._approvals.decide(asked.id, verdict, decided_by="ann", via="terminal", reason="seen")

    def state_of(self, asked: Approval) -> str:
        return self._approvals.find(asked.id).state

    def close(self) -> None:
        self._database.close()


@pytest.fixture
def person(pipes: PipelineBench) -> Iterator[Person]:
    opened = Person(pipes)
    yield opened
    opened.close()


def test_an_agent_is_told_once_what_failed_and_how_it_goes_on(
    pipes: PipelineBench, person: Person
) -> None:
    planned = pipes.planned({"bad": {"with": {"fails": 9}, "retries": {"max": 1, "delay_s": 0}}})
    for run_id, actor in (("run-agents", "performance-engineer"), ("run-persons", "ann")):
        pipes.client.start_pipeline(run_id, planned, actor=actor)
        pipes.finished(run_id)
    messages = person.mailbox.inbox("performance-engineer").messages

    assert [(m.from_agent, m.priority) for m in messages] == [("pipeline", "high")]
    assert "Step 'bad' failed: bad failed, time 2." in messages[0].content
    assert "`ml-orchestrator runs resume run-agents`" in messages[0].content
    assert [step.name for step in pipes.client.status("run-agents").steps] == ["bad"]


def asking(pipes: PipelineBench, run_id: str) -> str:
    return pipes.run(
        run_id,
        {
            "first": {"with": {"value": 4}},
            "ask": {
                "uses": "approval",
                "with": {
                    "question": "Go on with ${steps.first.output.value}?",
                    "evidence": "${steps.first.output}",
                },
            },
            "then": {"needs": ["ask"]},
        },
    )


def test_a_step_waits_for_a_person_across_the_death_of_its_worker(
    pipes: PipelineBench, person: Person
) -> None:
    run_id = asking(pipes, "run-asks")
    asked = person.asked()
    os.kill(pipes.worker().pid, signal.SIGKILL)

    def is_said() -> bool:
        pipes.client.wake()  # does nothing while the killed worker's lease holds
        return person.progress.latest(run_id) is not None

    until(is_said, what="it is said who must act")
    said = person.progress.latest(run_id)
    person.decides(asked, "approved")
    status = pipes.finished(run_id)

    assert "step 'ask': Go on with 5?" in asked.summary
    assert '"value": 5' in asked.summary
    assert said is not None
    assert said.message == f"waits for a person: ml-orchestrator approve {asked.id}"
    assert status.state == "succeeded"
    assert status.steps[1].output == {"approval_id": asked.id, "approved_by": "ann"}
    assert person.state_of(asked) == "used"
    assert (pipes.n_begun("first"), pipes.n_begun("then")) == (1, 1)


def test_a_rejection_fails_the_step_and_a_resumed_run_asks_anew(
    pipes: PipelineBench, person: Person
) -> None:
    run_id = asking(pipes, "run-rejected")
    first = person.asked()
    person.decides(first, "rejected")
    failed = pipes.finished(run_id)
    again = pipes.client.resume(run_id).run_id
    pipes.client.wake()
    second = person.asked()
    pipes.client.cancel(again)
    until(lambda: person.state_of(second) == "expired", what="nobody is asked any more")

    assert failed.error == f"Step 'ask' failed: Approval {first.id} is rejected by ann: seen."
    assert second.id != first.id
    assert pipes.n_begun("then") == 0


def test_a_run_planned_with_another_version_of_a_step_stops_and_says_so(
    pipes: PipelineBench,
) -> None:
    planned = replace(pipes.planned({"one": {}}), versions={"note": 7})
    pipes.client.start_pipeline("run-old", planned, actor="tester")
    status = pipes.finished("run-old")

    assert status.state == "failed"
    assert "note has version 1 and was planned with 7" in str(status.error)
    assert "Start the pipeline anew" in str(status.error)
    assert pipes.n_begun("one") == 0


def test_a_run_of_another_plan_version_is_stopped_in_place_of_waiting_for_ever(
    pipes: PipelineBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes.client, "wake", lambda: None)
    run_id = pipes.run("run-foreign", {"one": {}})
    with closing(sqlite3.connect(pipes.settings.home / "workflows.db")) as connection, connection:
        connection.execute("UPDATE workflow_status SET application_version = '0'")
    monkeypatch.undo()
    status = pipes.finished(run_id)

    assert status.state == "cancelled"
    assert "plans of version 0" in str(status.error)
    assert pipes.n_begun("one") == 0


def test_a_scheduled_pipeline_starts_when_it_is_due_as_its_owner(
    pipes: PipelineBench, person: Person
) -> None:
    planned = pipes.planned({"one": {}})
    person.schedules.put(planned, {}, Cadence(cron="0 0 1 1 *"), owner="ann")
    person.make_due()
    pipes.begun("one")
    until(lambda: pipes.client.runs(limit=1, cursor=None).runs[0].is_over, what="it is over")
    (run,) = pipes.client.runs(limit=5, cursor=None).runs
    person.schedules.remove("tested", actor="ann")

    assert (run.workflow, run.actor, run.state) == ("pipeline:tested", "ann", "succeeded")
    assert pipes.n_begun("one") == 1
    with pytest.raises(NotFoundError, match="scheduled: none"):
        person.schedules.remove("tested", actor="ann")
