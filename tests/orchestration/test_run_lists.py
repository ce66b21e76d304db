"""Lists of runs: what the clock started is left out and counted, attempts name each other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tests.orchestration.tiny_pipelines as tiny
from dbos import WorkflowStatus
from tests.conftest import new_postgres_url
from tests.orchestration.past_runs import PastWorld

from ml_orchestrator.cli import main
from ml_orchestrator.orchestration._dbos import listing
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration._dbos.database import schema_of
from ml_orchestrator.orchestration.launch import worker_leases
from ml_orchestrator.orchestration.pipelines.planning import Planned, plan_pipeline
from ml_orchestrator.orchestration.result_text import result_lines
from ml_orchestrator.orchestration.run_filter import ASKED_FOR, EVERY_RUN, RunFilter
from ml_orchestrator.orchestration.statuses import plan_of
from ml_orchestrator.orchestration.workers import NO_WORKER
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.settings import Settings

_REGISTERED = tiny.__name__


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PastWorld]:
    opened = PastWorld(tmp_path)
    yield opened
    opened.close()


def nightly(world: PastWorld) -> Planned:
    """Return a pipeline; the engine of these tests has nobody to do it."""
    look = {"uses": "profile", "with": {"source": "builtin:iris"}}
    return plan_pipeline({"name": "nightly", "steps": {"look": look}}, {}, world.settings)


def listed(world: PastWorld, wanted: RunFilter, *, limit: int = 2) -> tuple[list[str], int]:
    """Return the ids of all pages, and how many were left out of them."""
    found, n_left_out, cursor = [], 0, None
    while True:
        page = world.client.runs(limit=limit, cursor=cursor, wanted=wanted)
        found += [run.run_id for run in page.runs]
        n_left_out += page.n_left_out
        if (cursor := page.next_cursor) is None:
            return found, n_left_out


def filled(world: PastWorld) -> None:
    """Queue and end runs of several kinds, an hour apart, the first the oldest."""
    world.queue("run-look-0", "monitor-look", monitor="m")
    world.queue("run-train")
    world.queue("run-look-1", "monitor-look", monitor="m")
    world.queue("run-bad-look", "monitor-look", monitor="m", fail="look")
    world.queue("run-fails", fail="search")
    world.queue("run-look-2", "monitor-look", monitor="m")
    world.run_all()
    world.queue("run-stopped-look", "monitor-look", monitor="m")
    world.client.cancel("run-stopped-look")
    world.queue("run-waits")
    names = ("look-0", "train", "look-1", "bad-look", "fails", "look-2", "stopped-look", "waits")
    for number, name in enumerate(names):
        world.make_old(f"run-{name}", days=1 - number / 24)


def test_looks_that_succeeded_are_left_out_and_counted(world: PastWorld) -> None:
    filled(world)

    assert listed(world, ASKED_FOR) == (
        ["run-waits", "run-stopped-look", "run-fails", "run-bad-look", "run-train"],
        3,
    )
    everything, n_left_out = listed(world, EVERY_RUN)
    assert (len(everything), n_left_out) == (8, 0)
    assert listed(world, ASKED_FOR, limit=100)[0] == listed(world, ASKED_FOR, limit=1)[0]


def test_a_list_does_not_read_the_looks_of_any_directory_of_a_database(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 5)
    url = new_postgres_url(postgres_server)
    both = [
        Settings.read({}, home=tmp_path / name, project_dir=tmp_path, database_url=url)
        for name in ("left", "right")
    ]
    left, right = map(RunClient, both)
    left.start("run-train", WORKFLOWS["train"], {}, actor="ann")
    n_looks = 12
    for number in range(n_looks):
        client, name = (left, right)[number % 2], f"run-look-{number}"
        client.start(name, WORKFLOWS["monitor-look"], {"monitor": "m"}, actor="ann")
    ended = f"UPDATE {schema_of(both[0])}.workflow_status SET status = 'SUCCESS'"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"{ended} WHERE workflow_uuid LIKE 'run-look-%'".encode())
    read: list[str] = []

    def noted(row: WorkflowStatus) -> dict[str, Any]:
        read.append(row.workflow_id)
        return plan_of(row)

    monkeypatch.setattr(listing, "plan_of", noted)

    page = left.runs(limit=20, cursor=None, wanted=ASKED_FOR)
    assert ([run.run_id for run in page.runs], page.n_left_out) == (["run-train"], n_looks)
    assert read == ["run-train"]
    everything = left.runs(limit=20, cursor=None, wanted=EVERY_RUN)
    assert len({run.run_id for run in everything.runs}) == n_looks + 1
    left.close()
    right.close()


def test_runs_of_one_moment_are_each_listed_once(
    world: PastWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    runs = [world.queue(f"run-{number}") for number in range(9)]
    with closing(sqlite3.connect(world.settings.home / "workflows.db")) as rows, rows:
        for number, run_id in enumerate(runs):
            at_ms = 1_700_000_000_000 + (0 if number < 6 else number)
            rows.execute(
                "UPDATE workflow_status SET created_at = ? WHERE workflow_uuid = ?", (at_ms, run_id)
            )

    for limit in (1, 4, 100):
        found, _ = listed(world, EVERY_RUN, limit=limit)
        assert sorted(found) == runs


def test_a_list_may_be_of_one_workflow_or_state(world: PastWorld) -> None:
    filled(world)

    looks = ["run-stopped-look", "run-look-2", "run-bad-look", "run-look-1", "run-look-0"]
    assert listed(world, RunFilter(workflow="monitor-look")) == (looks, 0)
    assert listed(world, RunFilter(state="failed")) == (["run-fails", "run-bad-look"], 0)
    assert listed(world, RunFilter(state="succeeded")) == (["run-train"], 3)
    assert listed(world, RunFilter(workflow="train", state="queued")) == (["run-waits"], 0)
    assert listed(world, RunFilter(state="cancelled", everything=True)) == (
        ["run-stopped-look"],
        0,
    )
    assert listed(world, RunFilter(workflow="none-such")) == ([], 0)


def test_runs_that_a_schedule_started_are_left_out_once_they_succeeded(world: PastWorld) -> None:
    planned = nightly(world)
    world.client.start_pipeline("run-due", planned, actor="ann", is_scheduled=True)
    world.client.start_pipeline("run-asked", planned, actor="ann")
    assert world.client.start_pipeline("run-due", planned, actor="ann").run_id == "run-due"
    assert set(listed(world, ASKED_FOR)[0]) == {"run-due", "run-asked"}

    for run_id in ("run-due", "run-asked"):
        world.let_succeed(run_id)
    assert listed(world, ASKED_FOR) == (["run-asked"], 1)
    assert set(listed(world, RunFilter(workflow="pipeline:nightly"))[0]) == {"run-due", "run-asked"}


def test_a_failed_run_and_the_one_that_goes_on_name_each_other(world: PastWorld) -> None:
    world.queue("run-a", fail="search")
    world.run_all()
    world.client.resume("run-a")

    first, second = world.client.status("run-a"), world.client.status("run-a.2")
    assert (first.resumes, first.resumed_as) == (None, "run-a.2")
    assert (second.resumes, second.resumed_as) == ("run-a", None)
    page = world.client.runs(limit=5, cursor=None)
    assert {run.run_id: (run.resumes, run.resumed_as) for run in page.runs} == {
        "run-a": (None, "run-a.2"),
        "run-a.2": ("run-a", None),
    }


def test_a_terminal_says_that_work_waits_and_no_worker_lives(
    world: PastWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        with pytest.raises(SystemExit):
            main(["--home", str(world.settings.home), *words])
        return capsys.readouterr().err

    assert NO_WORKER not in said("runs", "list")
    world.queue("run-waits")
    assert NO_WORKER in said("runs", "list")
    assert NO_WORKER in said("monitors", "list")
    leases = worker_leases(world.settings)
    leases.take("worker-1")
    assert NO_WORKER not in said("runs", "list")
    leases.resign("worker-1")
    world.client.cancel("run-waits")
    assert NO_WORKER not in said("runs", "list")


def test_a_terminal_says_what_it_leaves_out_and_how_to_go_on(
    world: PastWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(world)

    def runs(*arguments: str) -> list[str]:
        with pytest.raises(SystemExit):
            main(["--home", str(world.settings.home), "runs", *arguments])
        return capsys.readouterr().out.splitlines()

    usual = runs("list")
    assert [line.split()[0] for line in usual[:5]] == listed(world, ASKED_FOR)[0]
    assert usual[5:] == [
        "Left out: 3 looks of monitors and scheduled runs that succeeded; --all shows them."
    ]
    assert len(runs("list", "--all")) == 8
    first = runs("list", "--state", "failed", "--limit", "1")
    assert first[-1].startswith("More: ml-orchestrator runs list --state failed --cursor ")
    following = runs(*first[-1].split()[3:])
    assert [line.split()[0] for line in (first[0], *following)] == ["run-fails", "run-bad-look"]
    nothing = [f"No such runs yet in {world.settings.home}."]
    assert runs("list", "--workflow", "none-such") == nothing

    world.client.resume("run-fails")
    world.client.cancel("run-fails.2")
    assert runs("show", "run-fails")[1] == "  was resumed as run-fails.2"
    assert runs("show", "run-fails.2")[1] == "  goes on from run-fails, which failed"
    assert "resumed as run-fails.2" in "".join(runs("list", "--state", "failed"))
    assert runs("show", "run-train")[-4:] == [
        "  result",
        "    model    m",
        "    version  1",
        "    look     good",
    ]


def test_a_result_is_shown_in_lines_and_tables() -> None:
    result = {
        "model": "m",
        "is_good": True,
        "nothing": None,
        "empty": [],
        "score": 0.123456789,
        "holdout": {"accuracy": 0.9, "names": ["a", "b"]},
        "trials": [{"n": n, "by": {"x": n}, **({"note": "long " * 20} if n == 1 else {})}
                   for n in range(22)],
        "pairs": [[1, 2], [3, 4]],
        "many": list(range(25)),
    }  # fmt: skip
    shown = result_lines(result, "  ")

    assert shown[:7] == [
        "  model    m",
        "  is_good  yes",
        "  score    0.123457",
        "  holdout",
        "    accuracy  0.9",
        "    names     a, b",
        "  trials",
    ]
    assert shown[7].split() == ["n", "by", "note"]
    assert shown[8] == "    0   x 0   -"
    assert shown[9].endswith("long long long…")
    assert shown[28] == "    and 2 more"
    assert shown[29:32] == ["  pairs", "    1, 2", "    3, 4"]
    assert shown[32].endswith("18, 19 and 5 more")
