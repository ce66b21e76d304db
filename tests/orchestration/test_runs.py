"""Runs in a healthy worker."""

import time
from pathlib import Path

import pytest
from tests.orchestration.workflow_bench import Bench, is_gone, until

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.storage.engine import open_database


def test_a_run_reports_progress_and_hands_outputs_from_step_to_step(
    shared: Bench, tmp_path: Path
) -> None:
    database = open_database(shared.settings.state_url, shared.settings.home)
    store = ProgressStore(database)
    gate = tmp_path / "gate"
    run_id = shared.start("tiny", gate=str(gate), number=20)

    until(lambda: store.latest(run_id) is not None, what="progress is seen while running")
    during = shared.client.status(run_id)
    progress = store.latest(run_id)
    database.close()
    gate.touch()
    after = shared.finished(run_id)

    assert progress is not None
    assert (progress.step, progress.fraction, progress.numbers) == (
        "tiny-gate",
        0.5,
        {"doubled": 40.0},
    )
    assert [step.state for step in during.steps] == ["succeeded", "running", "pending"]
    assert (after.state, after.actor, after.error) == ("succeeded", "tester", None)
    assert after.result == {"doubled": 40, "passed": 41, "answer": 41}
    assert during.steps[0].output == {"doubled": 40}
    assert [(step.state, step.output) for step in after.steps] == [("succeeded", None)] * 3


def test_a_child_sees_no_keys_or_tokens_and_leaves_no_process_behind(shared: Bench) -> None:
    begun = len(shared.entries("gate"))
    shared.finished(shared.start("tiny"))
    entry = shared.entry("gate", number=begun + 1)

    assert entry["secrets"] == []
    until(lambda: is_gone(entry["pid"]) and is_gone(entry["grandchild"]), what="both have gone")


def test_an_expected_error_fails_the_run_with_its_own_words(shared: Bench) -> None:
    status = shared.finished(shared.start("tiny-stops", number=3))

    assert (status.state, status.result) == ("failed", None)
    assert status.error == "Number 3 cannot be used. Give another."
    assert [(step.state, step.error) for step in status.steps] == [
        ("succeeded", None),
        ("failed", "Number 3 cannot be used. Give another."),
    ]


def test_an_unexpected_error_is_told_only_to_the_log(shared: Bench) -> None:
    status = shared.finished(shared.start("tiny-breaks"))
    log = (shared.settings.home / "logs" / "worker.log").read_text()

    assert [step.state for step in status.steps] == ["failed", "skipped"]
    assert "failed unexpectedly" in str(status.error)
    assert "the private detail" not in status.model_dump_json()
    assert "the private detail" in log


def test_a_workflow_may_stop_early_and_say_why(shared: Bench) -> None:
    status = shared.finished(shared.start("tiny-stops", number=0))

    assert status.state == "succeeded"
    assert status.result == {"doubled": 0, "stopped_because": "Nothing to do."}
    assert [step.state for step in status.steps] == ["succeeded", "skipped"]


def test_cancelling_kills_the_isolated_step_and_all_it_started(
    shared: Bench, tmp_path: Path
) -> None:
    begun, ended = len(shared.entries("gate")), len(shared.entries("finish"))
    run_id = shared.start("tiny", gate=str(tmp_path / "never"))
    entry = shared.entry("gate", number=begun + 1)

    status = shared.client.cancel(run_id)
    until(lambda: is_gone(entry["pid"]) and is_gone(entry["grandchild"]), what="both have gone")

    assert status.state == "cancelled"
    assert [step.state for step in status.steps] == ["succeeded", "cancelled", "skipped"]
    assert shared.client.cancel(run_id).state == "cancelled"
    assert len(shared.entries("finish")) == ended


def test_a_run_that_is_over_cannot_be_cancelled(shared: Bench) -> None:
    run_id = shared.start("tiny-stops", number=0)
    shared.finished(run_id)

    with pytest.raises(ConflictError, match="it has succeeded"):
        shared.client.cancel(run_id)
    assert shared.client.status(run_id).state == "succeeded"


def test_an_unknown_run_is_refused_with_the_latest_that_exist(shared: Bench) -> None:
    run_id = shared.start("tiny-stops", number=0)
    shared.finished(run_id)

    with pytest.raises(NotFoundError, match=f"'run-x'.*{run_id}"):
        shared.client.status("run-x")
    with pytest.raises(NotFoundError, match="'run-x'"):
        shared.client.cancel("run-x")


def test_the_same_id_means_the_same_run_and_other_parameters_a_conflict(shared: Bench) -> None:
    workflow, params = WORKFLOWS["tiny-stops"], {"ledger": str(shared.ledger), "number": 0}
    first = shared.client.start("run-same", workflow, params, actor="tester")
    again = shared.client.start("run-same", workflow, params, actor="tester")

    with pytest.raises(ConflictError, match="other parameters"):
        shared.client.start("run-same", workflow, {**params, "number": 5}, actor="tester")
    assert first.created_at == again.created_at
    assert shared.finished("run-same").result == {
        "doubled": 0,
        "stopped_because": "Nothing to do.",
    }


def test_runs_are_listed_newest_first_in_pages_that_do_not_shift(shared: Bench) -> None:
    for _ in range(3):
        shared.finished(shared.start("tiny-stops", number=0))
    whole = shared.client.runs(limit=100, cursor=None)
    first = shared.client.runs(limit=2, cursor=None)
    moment = int(time.time())
    until(lambda: int(time.time()) > moment, what="DBOS on SQLite keeps whole seconds")
    shared.finished(shared.start("tiny-stops", number=0))
    seen = [run.run_id for run in first.runs]
    cursor = first.next_cursor
    while cursor is not None:
        page = shared.client.runs(limit=2, cursor=cursor)
        seen += [run.run_id for run in page.runs]
        cursor = page.next_cursor

    times = [run.created_at for run in whole.runs]
    assert whole.next_cursor is None
    assert times == sorted(times, reverse=True)
    assert sorted(seen) == sorted(run.run_id for run in whole.runs)
    with pytest.raises(InvalidInputError, match="not a cursor"):
        shared.client.runs(limit=2, cursor="elsewhere")
