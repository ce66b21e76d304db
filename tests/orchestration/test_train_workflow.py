"""The workflows that ship, with real data, real training and a real registry."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.orchestration.workflow_bench import Bench, open_bench, until

from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.models import RunProgress
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.orchestration.steps import StepContext
from ml_orchestrator.orchestration.steps.search import search
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.storage.engine import open_database

N_TRIALS = 10
TRAINING = {
    "source": "now.csv",
    "target": "bought",
    "model": "shop",
    "trainers": ["linear"],
    "n_trials": N_TRIALS,
    "n_folds": 3,
    "metric": "roc_auc",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A data directory beside a table from before and one from now, moved by a deviation."""
    home = tmp_path_factory.mktemp("shop")
    for name, shift in (("before.csv", 0.0), ("now.csv", 1.0)):
        _write_table(home / name, shift)
    with open_bench(home, worker_idle_s=60, lease_ttl_s=1.0) as opened:
        yield opened


def _write_table(path: Path, shift: float) -> None:
    rng = np.random.default_rng(7)
    features = rng.normal(shift, 1.0, size=(240, 3))
    bought = features[:, 0] + rng.normal(0, 1.0, size=240) > shift
    rows = [
        ",".join([*(f"{value:.4f}" for value in row), str(int(label))])
        for row, label in zip(features, bought, strict=True)
    ]
    path.write_text("\n".join(["age,price,visits,bought", *rows]), encoding="utf-8")


def _searched_undisturbed(bench: Bench) -> dict[str, Any]:
    """Search in this process and return the summary, but for its time."""

    def report(
        fraction: float, message: str, numbers: Mapping[str, float] | None = None
    ) -> None: ...

    context = StepContext("run-undisturbed", "tester", bench.settings, report)
    params = validated(WORKFLOWS["train"], TRAINING)
    return _without_time(search(context, params, {})["summary"])


def _without_time(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name != "seconds"}


def _kill_worker_in_mid_search(bench: Bench, run_id: str) -> RunProgress:
    database = open_database(bench.settings.state_url, bench.settings.home)
    store = ProgressStore(database)
    seen: list[RunProgress] = []

    def is_searching() -> bool:
        latest = store.latest(run_id)
        if latest and latest.numbers.get("n_finished", 0) >= 2:
            seen.append(latest)
        return bool(seen)

    until(is_searching, what="two trials are finished")
    os.kill(bench.worker().pid, signal.SIGKILL)
    database.close()
    return seen[0]


def test_no_drift_means_no_training(shop: Bench) -> None:
    params = {**TRAINING, "source": "before.csv", "reference": "before.csv"}
    status = shop.finished(shop.start("drift-retrain", **params))

    assert [step.state for step in status.steps] == ["succeeded", *["skipped"] * 3], status.error
    assert status.result is not None
    assert status.result["drift"]["is_drifted"] is False
    assert status.result["stopped_because"].startswith("No training was needed.")


def test_a_killed_training_ends_as_the_undisturbed_one_no_trial_lost_or_doubled(
    shop: Bench,
) -> None:
    run_id = shop.start("drift-retrain", **TRAINING, reference="before.csv")
    at_kill = _kill_worker_in_mid_search(shop, run_id)
    assert not (shop.settings.home / "runs" / run_id / "search.1.answer.json").exists()
    result = shop.finished(run_id).result

    assert at_kill.numbers["n_finished"] < N_TRIALS
    assert result is not None
    assert set(result["drift"]["drifted_columns"]) == {"age", "price", "visits"}
    assert result["summary"]["n_trials"] == N_TRIALS
    assert result["summary"]["holdout"]["roc_auc"]["low"] > 0.5
    assert _without_time(result["summary"]) == _searched_undisturbed(shop)
    assert (result["version"], result["alias"], result["previous_version"]) == (
        1,
        "challenger",
        None,
    )
    with registry_for_a_step(shop.settings) as desk:
        assert desk.store.alias_version("shop", "challenger") == 1
        assert desk.vault.verify("shop", 1).ok


def test_data_that_cannot_be_used_fails_the_run_with_advice_and_registers_nothing(
    shop: Bench,
) -> None:
    params = {**TRAINING, "target": "sold", "model": "other"}
    status = shop.finished(shop.start("train", **params))

    assert [step.state for step in status.steps] == ["failed", "skipped", "skipped"]
    assert "'sold'" in str(status.error)
    assert "bought" in str(status.error)
