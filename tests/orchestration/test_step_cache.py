"""The cache of steps' outputs: many threads at once, and never many more files than allowed."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ml_orchestrator.orchestration.pipelines import cache as module
from ml_orchestrator.orchestration.pipelines.cache import Cached, StepCache


def test_threads_keep_the_same_output_at_once(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    (tmp_path / "runs" / "run-1" / "steps" / "a").mkdir(parents=True)

    def put_often(thread: int) -> None:
        for number in range(200):
            cache.put("key", [thread, number], run_id="run-1", place="steps/a")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put_often, range(4)))
    found = cache.get("key")

    assert found is not None
    assert found.output[1] == 199
    assert [p.name for p in (tmp_path / "step-cache").iterdir()] == ["key.json"]


def test_the_oldest_outputs_go_and_are_not_looked_for_at_every_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 10)
    monkeypatch.setattr(module, "PUTS_PER_SWEEP", 5)
    looked: list[Path] = []
    scandir = os.scandir

    def counted(path: Path) -> Any:
        looked.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    (tmp_path / "runs" / "run-1" / "p").mkdir(parents=True)
    cache = StepCache(tmp_path)
    for number in range(31):
        cache.put(f"key-{number:02}", number, run_id="run-1", place="p")
        os.utime(tmp_path / "step-cache" / f"key-{number:02}.json", (number, number))

    assert len(looked) == 7
    assert len(list((tmp_path / "step-cache").iterdir())) == 10
    assert cache.get("key-30") == Cached(30, "run-1")
    assert cache.get("key-00") is None
