"""What holds an old run or folder, and that nothing read on the way ends a worker."""

import json
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from tests.orchestration.past_runs import RULES, PastWorld

from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.orchestration.retention import folders
from ml_orchestrator.orchestration.retention.evidence import may_have_registered
from ml_orchestrator.orchestration.retention.pruner import Pruner
from ml_orchestrator.orchestration.retention.walk import Pass


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PastWorld]:
    opened = PastWorld(tmp_path)
    yield opened
    opened.close()


def cancelled(world: PastWorld, run_id: str, *, days: float, workflow: str = "train") -> None:
    """Have a run with files that was cancelled so long ago."""
    world.queue(run_id, workflow)
    world.client.cancel(run_id)
    world.give_files(run_id)
    world.make_old(run_id, days=days)


def record(world: PastWorld, run_id: str, output: Mapping[str, Any]) -> None:
    """Record the output of a step of a run."""
    with closing(sqlite3.connect(world.settings.home / "workflows.db")) as rows, rows:
        rows.execute(
            "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output, "
            "serialization, retention_timestamp) VALUES (?, 1, 'other', ?, 'portable_json', 0)",
            (run_id, json.dumps(output)),
        )


def orphan(world: PastWorld, run_id: str) -> None:
    """Have an old folder of a run that is not on record."""
    world.give_files(run_id)
    os.utime(world.settings.home / "runs" / run_id, (0, 0))


def test_a_folder_without_a_run_on_record_stays_while_a_monitor_watches_it(
    world: PastWorld,
) -> None:
    orphan(world, "run-watched")
    orphan(world, "run-nobodys")
    world.watch("runs/run-watched/rows.parquet")

    found = world.pruned()

    assert (found.n_folders, found.n_named) == (1, 1)
    assert world.folders() == {"run-watched"}


def test_no_folder_counts_as_nobodys_where_a_shared_database_was_in_use(world: PastWorld) -> None:
    orphan(world, "run-elsewhere")
    (world.settings.home / "home.id").write_text("0123456789abcdef")
    assert world.pruned().n_folders == 0
    (world.settings.home / "home.id").unlink()
    assert world.pruned().n_folders == 1


def test_what_the_outputs_of_an_unfinished_run_name_stays(world: PastWorld) -> None:
    cancelled(world, "run-trained", days=100)
    world.queue("run-waits")
    record(world, "run-waits", {"output": {"trained": "run-trained/s"}})

    assert world.pruned().n_named == 1
    assert world.folders() == {"run-trained"}

    world.let_succeed("run-waits")
    assert world.pruned().n_runs == 1
    assert world.folders() == set()


def test_texts_of_unfinished_runs_are_read_once_and_what_comes_later_as_it_comes(
    world: PastWorld,
) -> None:
    world.queue("run-waits", target="runs/run-asked/rows.csv")
    with closing(History(world.settings)) as history:
        names = history.open_runs.name
        read: list[str] = []
        event.listen(
            history._system.engine, "before_cursor_execute", lambda *told: read.append(told[2])
        )

        assert [names(run_id) for run_id in ("run-asked", "run-gave")] == [True, False]
        record(world, "run-waits", {"output": {"trained": "run-gave/s"}})
        world.queue("run-comes", target="run-later-model")
        found = [names(run_id) for run_id in ("run-gave", "run-later", "run-asked", "run-other")]
        assert found == [True, True, True, False]
        assert sum("coalesce" in statement.lower() for statement in read) == 2
        assert sum("outputs.output" in statement.lower() for statement in read) == 1

        world.let_succeed("run-waits")
        assert [names(run_id) for run_id in ("run-asked", "run-gave", "run-later")] == [
            False,
            False,
            True,
        ]


def test_what_a_cached_output_was_taken_from_stays_as_long_as_who_took_it(
    world: PastWorld,
) -> None:
    cancelled(world, "run-source", days=100)
    cancelled(world, "run-taker", days=89)
    record(world, "run-taker", {"output": {"trained": "run-source/s"}, "cached_from": "run-source"})

    assert world.pruned().n_named == 1
    assert world.folders() == {"run-source", "run-taker"}

    world.make_old("run-taker", days=91)
    assert world.pruned(is_trial=True).n_runs == 2
    assert world.pruned().n_runs == 2
    assert world.folders() == set()


def test_who_took_a_cached_output_may_have_begun_before_its_source(world: PastWorld) -> None:
    cancelled(world, "run-source", days=91)
    cancelled(world, "run-taker", days=100)
    record(world, "run-taker", {"output": 1, "cached_from": "run-source"})

    assert world.pruned().n_runs == 2
    assert (world.folders(), world.known()) == (set(), set())


def test_what_only_the_clock_started_is_kept_as_asked_for_once_somebody_took_from_it(
    world: PastWorld,
) -> None:
    for name in ("run-source", "run-look"):
        cancelled(world, name, days=40, workflow="monitor-look")
    cancelled(world, "run-taker", days=100)
    record(world, "run-taker", {"output": 1, "cached_from": "run-source"})

    world.pruned()

    assert world.known() == {"run-source"}


def test_a_pipeline_that_is_no_text_neither_ends_a_pass_nor_hides_the_others(
    world: PastWorld,
) -> None:
    cancelled(world, "run-named", days=100)
    cancelled(world, "run-free", days=100)
    folder = world.settings.home / "pipelines"
    folder.mkdir()
    (folder / "bad.json").write_bytes(b"\xff\xfe run-named")

    found = world.pruned()

    assert (found.n_named, found.n_runs) == (1, 1)
    assert world.folders() == {"run-named"}


def test_what_goes_wrong_in_a_pass_is_logged_and_the_worker_goes_on(
    world: PastWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Pass) -> bool:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(Pass, "step", fail)
    pruner = Pruner(world.settings, world.database, first_s=0.0)
    with caplog.at_level(logging.WARNING):
        pruner.sweep()
        pruner.sweep()

    (said,) = [entry for entry in caplog.records if "wait to be removed" in entry.message]
    assert "unforeseen" in str(said.exc_info)


def test_a_step_removes_at_most_one_run(world: PastWorld) -> None:
    for number in range(3):
        cancelled(world, f"run-{number}", days=100)
        orphan(world, f"run-orphan-{number}")
    seen = [6]
    with closing(History(world.settings)) as history:
        going = Pass(world.settings, world.database, history, RULES)
        while going.step():
            seen.append(len(world.folders()))

    assert seen[-1] == 0
    assert {before - after for before, after in pairwise(seen)} == {0, 1}


@pytest.mark.parametrize("change", ["resumed", "followed"])
def test_a_run_that_goes_on_as_it_is_removed_keeps_its_rows_and_has_its_folder_again(
    world: PastWorld, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    cancelled(world, "run-a", days=100)
    give_up = folders.give_up

    def meanwhile(home: Path, run_id: str, *, at_ms: int) -> folders.GivenUp | None:
        given_up = give_up(home, run_id, at_ms=at_ms)
        if change == "resumed":
            world.client._client.resume_workflow("run-a")  # as from another machine
        else:
            world.queue("run-a.2")
        return given_up

    monkeypatch.setattr(folders, "give_up", meanwhile)
    found = world.pruned()

    assert found.n_runs == 0
    assert "run-a" in world.known()
    assert (world.folders(), world.has_report("run-a")) == ({"run-a"}, True)
    assert not folders.all_given_up(world.settings.home)


def test_a_run_that_went_on_after_a_kill_gets_its_folder_back(world: PastWorld) -> None:
    cancelled(world, "run-a", days=100)
    at_ms = folders.give_up(world.settings.home, "run-a", at_ms=2_000_000_000_000)
    assert at_ms is not None
    world.client._client.resume_workflow("run-a")
    world.pruned()
    assert (world.folders(), world.known()) == ({"run-a"}, {"run-a"})


def test_a_registration_that_was_not_recorded_keeps_the_row(world: PastWorld) -> None:
    world.queue("run-a")
    world.run_all()
    with closing(sqlite3.connect(world.settings.home / "workflows.db")) as rows, rows:
        rows.execute("DELETE FROM operation_outputs WHERE function_name <> 'search'")
        rows.execute("UPDATE workflow_status SET status = 'CANCELLED'")
    world.give_files("run-a")
    world.make_old("run-a", days=100)

    assert world.pruned().n_reduced == 1
    assert (world.known(), world.folders()) == ({"run-a"}, set())


def _pipeline(**uses: str) -> dict[str, Any]:
    names = list(uses)
    needs = {name: names[:place] for place, name in enumerate(names)}
    steps = {name: {"uses": step} for name, step in uses.items()}
    return {"pipeline": {"spec": {"steps": steps}, "needs": needs}}


@pytest.mark.parametrize(
    ("uses", "recorded", "has_succeeded", "found"),
    [
        ({"a": "train", "b": "register"}, [], False, False),
        ({"a": "train", "b": "register"}, [("a#1", False)], False, False),
        ({"a": "train", "b": "register"}, [("a#1", True)], False, True),
        ({"a": "train", "b": "register"}, [("a#1", True)], True, False),
        ({"a": "train", "b": "register"}, [("a#1", True), ("b#1", False)], False, True),
        ({"a": "train", "b": "profile"}, [("a#1", True), ("b#1", True)], True, False),
        ({"a": "train", "b": "of-a-plug-in"}, [("a#1", True)], False, True),
        ({"a": "train", "b": "of-a-plug-in"}, [("a#1", True), ("b#1", True)], True, True),
        ({"a": "train", "b": "approval"}, [("a#1", True), ("b#1", True)], True, False),
    ],
)
def test_a_version_may_name_a_run_once_a_step_that_may_register_has_begun(
    uses: dict[str, str], recorded: list[tuple[str, bool]], has_succeeded: bool, found: bool
) -> None:
    plan = _pipeline(**uses)
    assert may_have_registered(plan, recorded, has_succeeded=has_succeeded) is found


def test_a_sweep_goes_on_for_a_moment_and_the_next_from_there(world: PastWorld) -> None:
    for number in range(3):
        cancelled(world, f"run-{number}", days=100)
    now = [0.0]

    def clock() -> float:
        now[0] += 0.15  # so that a sweep does two steps
        return now[0]

    settings = world.settings.model_copy(update={"runs_keep_least": 0})
    pruner = Pruner(settings, world.database, clock=clock, first_s=0.0)
    left = []
    while not (world.settings.home / "runs.pruned").exists():
        pruner.sweep()
        left.append(len(world.folders()))

    assert {before - after for before, after in pairwise([3, *left])} <= {0, 1, 2}
    assert (left[0], left[-1]) == (2, 0)
