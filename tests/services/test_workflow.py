"""Runs through the service: what is checked, what is returned when, what waits for what."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.orchestration import tiny_workflows as tiny
from tests.orchestration.workflow_bench import stop_workers

from ml_orchestrator.doors import Door
from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.services.workflow import WorkflowOrchestrator
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

WAIT_S = 30


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    home = tmp_path / "home"
    return Settings.read(
        {}, home=home, project_dir=tmp_path, plugins=(tiny.__name__,), worker_idle_s=60
    )


@pytest.fixture
async def orchestrator(settings: Settings) -> AsyncIterator[WorkflowOrchestrator]:
    client = Door(lambda: RunClient(settings))
    database = open_database(settings.state_url, settings.home)
    yield WorkflowOrchestrator(settings, client=client, progress=lambda: ProgressStore(database))
    if client.is_open:
        client().close()
    database.close()
    stop_workers(settings.home)


async def test_waiting_reports_progress_and_returns_as_soon_as_the_run_is_over(
    orchestrator: WorkflowOrchestrator, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    params = {"ledger": str(tmp_path / "ledger"), "gate": str(gate), "number": 5}
    seen: list[RunStatus] = []

    async def open_gate(status: RunStatus) -> None:
        seen.append(status)
        gate.touch()

    started = await orchestrator.start("tiny", params, actor="tester")
    with anyio.fail_after(WAIT_S):
        status = await orchestrator.status(started.run_id, wait_s=1_000, on_progress=open_gate)
    listed = await orchestrator.runs(limit=5)

    assert started.state == "queued"
    assert (status.state, status.progress) == ("succeeded", None)
    assert status.result == {"doubled": 10, "passed": 11, "answer": 11}
    told = [s.progress for s in seen if s.progress]
    assert {(p.step, p.message) for p in told} == {("tiny-gate", "at the gate")}
    assert all(0 < s.fraction < 1 for s in seen[:-1])
    assert (seen[-1].state, seen[-1].fraction) == ("succeeded", 1)
    assert listed.runs == [status.model_copy(update={"steps": [], "result": None})]


async def test_without_waiting_the_status_comes_at_once_and_a_cancelled_run_stays_so(
    orchestrator: WorkflowOrchestrator, tmp_path: Path
) -> None:
    params = {"ledger": str(tmp_path / "ledger"), "gate": str(tmp_path / "never")}
    run_id = (await orchestrator.start("tiny", params, actor="tester")).run_id

    before = await orchestrator.status(run_id)
    cancelled = await orchestrator.cancel(run_id, actor="tester")
    after = await orchestrator.status(run_id, wait_s=1_000)

    assert before.state in ("queued", "running")
    assert cancelled.state == after.state == "cancelled"


async def test_a_training_that_is_ended_early_registers_the_best_so_far(
    orchestrator: WorkflowOrchestrator, tmp_path: Path
) -> None:
    params = {
        "source": "builtin:iris",
        "model": "early",
        "trainers": ["naive_bayes"],
        "n_trials": 1_000,
        "n_folds": 2,
        "timeout_s": 600,
    }
    other = {"ledger": str(tmp_path / "ledger"), "gate": str(tmp_path / "never")}
    tiny_id = (await orchestrator.start("tiny", other, actor="tester")).run_id
    run_id = (await orchestrator.start("train", params, actor="tester")).run_id

    await orchestrator.finish_early(run_id, actor="tester")
    with anyio.fail_after(4 * WAIT_S):
        status = await orchestrator.status(run_id, wait_s=1_000)

    assert status.state == "succeeded", status.error
    assert status.result is not None
    assert status.result["summary"]["stopped_by"] == "request"
    assert status.result["version"] == 1
    for run, state in ((tiny_id, "tiny"), (run_id, "succeeded")):
        with pytest.raises(ConflictError, match=f"{state}.*has no search that could end early"):
            await orchestrator.finish_early(run, actor="tester")


async def test_a_training_says_at_its_start_what_it_leaves_out(
    orchestrator: WorkflowOrchestrator, tmp_path: Path
) -> None:
    rows = [f"{i % 7},{i % 2},{'' if i == 5 else i % 3 + 1}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,weight", *rows]))
    params = {"source": "t.csv", "target": "y", "model": "m", "weight_column": "weight"}

    started = await orchestrator.start("train", params, actor="tester")
    await orchestrator.cancel(started.run_id, actor="tester")
    tiny = await orchestrator.start("tiny-stops", {"ledger": str(tmp_path / "l")}, actor="tester")

    lost, *others = started.notices
    assert lost == "1 rows without 'y' or 'weight' are left out of training."
    assert [notice.split()[0] for notice in others] == ["nearest"], "which cannot weigh rows"
    assert tiny.notices == ()


async def test_the_same_key_returns_the_same_run_for_the_same_request_only(
    orchestrator: WorkflowOrchestrator, tmp_path: Path
) -> None:
    params = {"ledger": str(tmp_path / "ledger"), "number": 0}

    async def start(**changes: object) -> str:
        given = {**params, **changes}
        status = await orchestrator.start(
            "tiny-stops", given, actor="tester", idempotency_key="monday"
        )
        return status.run_id

    first = await start()
    again = await start()
    with pytest.raises(ConflictError, match="other parameters"):
        await start(number=1)
    without_key = await orchestrator.start("tiny-stops", params, actor="tester")

    assert first == again != without_key.run_id
    assert len((await orchestrator.runs()).runs) == 2


async def test_bad_requests_name_every_fault_and_queue_nothing(
    orchestrator: WorkflowOrchestrator,
) -> None:
    with pytest.raises(NotFoundError, match=r"'trian'.*known:.*train"):
        await orchestrator.start("trian", {}, actor="tester")
    with pytest.raises(InvalidInputError) as caught:
        await orchestrator.start("tiny", {"number": -1, "colour": "red"}, actor="tester")
    with pytest.raises(NotFoundError, match="'run-x'"):
        await orchestrator.status("run-x")
    with pytest.raises(NotFoundError, match="'run-x'"):
        await orchestrator.pictures("run-x")

    for part in ("ledger: Field required", "number: Input should be", "colour: Extra inputs"):
        assert part in str(caught.value)
    assert "Its parameters are: ledger, gate, number." in str(caught.value)
    assert (await orchestrator.runs()).runs == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"alias": "Champion!"}, "alias"),
        ({"model": "../m"}, "model"),
        ({"n_trials": 0}, "n_trials"),
        ({"reference": "x.csv"}, "reference"),
    ],
)
async def test_training_parameters_are_checked_before_anything_is_queued(
    orchestrator: WorkflowOrchestrator, changes: dict[str, object], fault: str
) -> None:
    params = {"source": "builtin:iris", "model": "ranker", **changes}
    with pytest.raises(InvalidInputError, match=f"cannot start: {fault}") as caught:
        await orchestrator.start("train", params, actor="tester")

    assert ("Its parameters are" in str(caught.value)) == (fault == "reference")
