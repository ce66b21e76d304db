"""Runs that are a worker's on record while nothing there is at them are queued again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from dbos import DBOS
from tests.orchestration.run_world import NAMES, World

from ml_orchestrator.orchestration._dbos import engine
from ml_orchestrator.orchestration._dbos.strays import Strays


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = World(tmp_path)
    try:
        yield opened
    finally:
        opened.close()


def lose_the_answer(monkeypatch: pytest.MonkeyPatch, run_id: str) -> list[list[str]]:
    """Let the answer to the first claim of a run be lost; return what that had claimed.

    To be called before another run begins: a claim that is under way goes the usual way.
    """
    (strays,) = engine._strays
    system = strays._engine._sys_db
    claim, lost = system.start_queued_workflows, list[list[str]]()

    def losing(*args: Any, **kwargs: Any) -> tuple[list[str], Any]:
        claimed, reason = claim(*args, **kwargs)
        if run_id in claimed and not lost:
            lost.append(claimed)
            return claim(*args, **kwargs)  # DBOS asks again, and what was claimed is claimed
        return claimed, reason

    monkeypatch.setattr(system, "start_queued_workflows", losing)
    return lost


def end(world: World, run_id: str) -> None:
    for step in NAMES:
        world.until(lambda step=step: world.ledger.running(run_id, step) == 1, f"{step} begins")  # type: ignore[misc]
        world.order(run_id, step, "finish")
    world.until(lambda: world.client.status(run_id).is_over, "the run is over")


def test_a_claim_whose_answer_was_lost_leaves_its_run_to_be_queued_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start_worker()
    lost = lose_the_answer(monkeypatch, "run-2x")
    world.start_run("run-1x")
    world.until(lambda: world.ledger.running("run-1x", "first") == 1, "the first run begins")
    world.start_run("run-2x")
    world.until(lambda: bool(lost), "the answer is lost")
    assert lost == [["run-2x"]]
    assert world.client.status("run-2x").state == "running"

    assert engine.mend_strays() == []  # it may have been claimed just now
    world.until(lambda: engine.mend_strays() == ["run-2x"], "it is queued again")
    assert engine.mend_strays() == []
    end(world, "run-2x")
    end(world, "run-1x")

    for run_id in ("run-1x", "run-2x"):
        assert world.client.status(run_id).state == "succeeded"
    assert len(world.ledger.begun) == 2 * len(NAMES)


def test_a_run_that_was_queued_again_may_have_been_claimed_just_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strays = Strays(cast("DBOS", None), "worker")
    monkeypatch.setattr(strays, "_astray", lambda: {"run-1x", "run-2x"})
    monkeypatch.setattr(strays, "_queued_again", lambda _: True)

    assert [strays.mend() for _ in range(4)] == [[], ["run-1x", "run-2x"]] * 2
