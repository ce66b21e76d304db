"""What a worker waits for that is asked to leave, and what begins no more."""

import asyncio
from pathlib import Path

import pytest
from tests.orchestration.test_pipeline_performing import unit_of

from ml_orchestrator.orchestration.beginnings import beginning, differences
from ml_orchestrator.orchestration.execution import Job
from ml_orchestrator.orchestration.handing_over import HandOver
from ml_orchestrator.orchestration.pipelines.admission import Admission
from ml_orchestrator.orchestration.pipelines.performing import Performer
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database


async def test_a_step_counts_until_it_is_recorded_and_none_begins_once_leaving_is_asked_for() -> (
    None
):
    hand_over, counts, go_on = HandOver(), [], asyncio.Event()
    begun: list[str] = []
    has_begun = asyncio.Event()

    async def step(name: str) -> None:
        async with hand_over.at_work():
            begun.append(name)
            has_begun.set()
            await go_on.wait()

    async def recorded(name: str) -> None:
        with hand_over.recorded():
            await asyncio.create_task(step(name))  # as the engine does
            counts.append(hand_over.n_at_work)

    first = asyncio.create_task(recorded("first"))
    await has_begun.wait()
    hand_over.ask()
    second = asyncio.create_task(recorded("second"))
    go_on.set()
    await first
    for _ in range(10):
        await asyncio.sleep(0)
    second.cancel()

    assert (begun, counts, hand_over.n_at_work) == (["first"], [1], 0)
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_step_that_only_waits_is_not_waited_for() -> None:
    hand_over = HandOver()
    async with hand_over.at_work(only_waits=True):
        assert (hand_over.n_at_work, hand_over.n_waiting) == (0, 1)
    assert hand_over.n_waiting == 0


async def test_the_time_limit_of_a_pipelines_step_begins_with_its_work(tmp_path: Path) -> None:
    hand_over, gone = HandOver(), asyncio.Event()
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    database = open_database(settings.state_url, tmp_path)

    async def never(job: Job) -> dict[str, object]:
        raise AssertionError(f"{job.step} must not begin")

    performer = Performer(
        settings, database, never, Admission(cpu=2, memory_mb=100), at_work=hand_over.at_work
    )
    hand_over.ask()
    unit = unit_of("require", {"value": 1.0, "at_least": 0.0}, timeout_s=0.001)
    doing = asyncio.create_task(performer.perform(unit))
    doing.add_done_callback(lambda _: gone.set())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gone.wait(), 0.2)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({}, home=tmp_path, project_dir=tmp_path)


def test_what_a_worker_began_with_says_what_differs_by_name_and_holds_no_value(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    begun = beginning(settings, "w")
    changed = settings.with_values(
        {
            "tracking_uri": "http://there.example",
            "registry_uri": "postgresql://me:secret@there.example/ml",
            "log_level": "DEBUG",
        }
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    differing = differences(begun, changed, "w", is_here=True)

    variables = ["MLFLOW_TRACKING_PASSWORD", "OMP_NUM_THREADS"]  # only a server is told the first
    assert differing == [*variables, "registry_uri", "tracking_uri"]
    assert differences(begun, changed, "w", is_here=False) == ["registry_uri", "tracking_uri"]
    assert differences({**begun, "release": "other"}, settings, "w", is_here=False) == ["release"]
    assert "secret" not in str(beginning(changed, "w"))


def test_a_setting_that_one_of_two_releases_does_not_know_is_no_difference(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    begun = beginning(settings, "w")
    del begun["plugins"]
    assert differences({**begun, "of_tomorrow": "x"}, settings, "w", is_here=True) == []
