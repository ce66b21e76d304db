"""The main job through the client: train, register, verify, move, predict, roll back."""

import base64
import csv
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import psutil
import pytest
import skops.io
from mcp.client import Client
from mcp.types import (
    ImageContent,
    ResourceTemplateReference,
    TextResourceContents,
)
from sklearn.datasets import load_breast_cancer
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

ME = "ml-orchestrator"
LIMIT_S = 120.0
SMALL = {
    "agent": ME,
    "trainers": ["linear", "histogram_boosting"],
    "n_trials": 4,
    "n_folds": 3,
    "timeout_s": 60.0,
}


@asynccontextmanager
async def session(home: Path) -> AsyncIterator[Client]:
    """A client of a server whose worker leaves soon after its last run."""
    settings = Settings.read({}, project_dir=home.parent, home=home, worker_idle_s=2.0)
    async with Client(build_server(settings)) as client:
        yield client


async def finish(client: Client, run_id: str, tool: str = "training_status") -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        status = await ask(client, tool, run_id=run_id, wait_s=20.0)
        if status["state"] not in ("queued", "running"):
            return status
    raise AssertionError(f"run {run_id} did not end: {status}")


def write_cancer(path: Path, *, shuffled: bool = False) -> None:
    """Write the breast cancer table, its labels put at random if ``shuffled``."""
    data = load_breast_cancer()
    labels = data.target
    if shuffled:
        labels = np.random.default_rng(5).permutation(labels)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(n.replace(" ", "_") for n in data.feature_names), "benign"])
        writer.writerows([*row, label] for row, label in zip(data.data, labels, strict=True))


async def drift_matters_to_the_model(client: Client, importances: list[dict[str, Any]]) -> None:
    most = max(importances, key=lambda i: i["loss"])["feature"]
    moved = load_breast_cancer(as_frame=True).data.rename(columns=lambda n: n.replace(" ", "_"))
    drift = await ask(
        client,
        "drift_check",
        reference="cancer.csv",
        current={most: (moved[most] * 1.5).tolist()},
        columns=[most],
        model="cancer/1",
    )
    assert drift["model"]["matters"]
    assert f"cancer/1 relies on drifted, by '{most}'" in drift["model"]["summary"]


async def test_the_whole_main_job(home: Path) -> None:
    write_cancer(home.parent / "cancer.csv")
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with session(home) as client:
        job = {**SMALL, "source": "cancer.csv", "target": "benign", "model": "cancer"}
        started = await ask(client, "training_start", **job, idempotency_key="one")
        again = await ask(client, "training_start", **job, idempotency_key="one")
        assert again["run_id"] == started["run_id"]
        for _ in range(3):  # a busy machine needs more than one wait; after the end each is short
            await client.call_tool(
                "training_status",
                {"run_id": started["run_id"], "wait_s": 50.0},
                progress_callback=on_progress,
            )
        done = await finish(client, started["run_id"])
        second = await ask(client, "training_start", **job, seed=3)
        assert (await finish(client, second["run_id"]))["state"] == "succeeded"

        assert done["state"] == "succeeded", done["error"]
        summary = done["result"]["summary"]
        score = summary["holdout"]["roc_auc"]
        assert summary["n_trials"] == 4
        assert score["low"] > 0.9 > summary["baseline"]["roc_auc"]
        assert seen == sorted(seen)
        assert seen[-1] == 100

        page = await ask(client, "registry_list", model="cancer")
        by_number = {v["version"]: v for v in page["versions"]}
        assert by_number[2]["aliases"] == ["challenger"]
        assert by_number[1]["metrics"]["holdout_roc_auc"] == pytest.approx(score["estimate"])

        assert (await ask(client, "registry_verify", model="cancer", version="challenger"))["ok"]
        await move(client, 1, None)
        plan = await move(client, 2, 1, dry_run=True)
        assert plan["move"] is None
        await move(client, 2, 1, plan_digest=plan["plan"]["digest"])
        stale = await refusal(client, "registry_move_alias", **asked_move(1, 1))
        assert "points to version 2" in stale

        rows = load_breast_cancer(as_frame=True).data.head(3)
        rows.columns = [name.replace(" ", "_") for name in rows.columns]
        answer = await ask(
            client, "model_predict", model="cancer", version="champion",
            rows=rows.to_dict(orient="records"),
        )  # fmt: skip
        pipeline = skops.io.load(
            home / "runs" / second["run_id"] / "pipeline.skops", trusted=list(EXTRA_TRUSTED_TYPES)
        )
        assert answer["predictions"] == pipeline.predict(rows).tolist()

        await drift_matters_to_the_model(client, summary["importances"])

        back = await move(client, "previous", 2)
        assert (back["move"]["from_version"], back["move"]["to_version"]) == (2, 1)
        moves = (await ask(client, "registry_list", model="cancer"))["moves"]
        champion = [(m["from_version"], m["to_version"]) for m in moves if m["alias"] == "champion"]
        assert champion == [(2, 1), (1, 2), (None, 1)]

        shown = await client.call_tool(
            "training_status", {"run_id": started["run_id"], "with_plots": True}
        )
        pictures = [p for p in shown.content if isinstance(p, ImageContent)]
        assert pictures
        assert all(base64.b64decode(p.data).startswith(b"\x89PNG") for p in pictures)
        resource = await client.read_resource(f"run://{started['run_id']}")
        assert isinstance(resource.contents[0], TextResourceContents)
        assert json.loads(resource.contents[0].text)["state"] == "succeeded"
        assert "does-not-exist" in await refusal(client, "training_status", run_id="does-not-exist")


def asked_move(version: int | str, expected: int | None) -> dict[str, Any]:
    return {
        "agent": ME,
        "model": "cancer",
        "alias": "champion",
        "version": version,
        "expected_version": expected,
        "reason": "test of the main job",
    }


async def move(
    client: Client, version: int | str, expected: int | None, **more: Any
) -> dict[str, Any]:
    return await ask(client, "registry_move_alias", **asked_move(version, expected), **more)


async def test_shuffled_labels_bring_the_score_to_chance(home: Path) -> None:
    write_cancer(home.parent / "shuffled.csv", shuffled=True)
    async with session(home) as client:
        started = await ask(
            client, "training_start", **SMALL, source="shuffled.csv", target="benign", model="null"
        )
        done = await finish(client, started["run_id"])

    score = done["result"]["summary"]["holdout"]["roc_auc"]
    # The interval has a level of 95%; chance must lie within 3.3 standard errors (99.9%), so
    # that this one draw of labels does not decide by bad luck.
    standard_error = (score["high"] - score["low"]) / (2 * 1.96)
    assert abs(score["estimate"] - 0.5) < 3.3 * standard_error


async def test_drift_retrain_trains_only_when_the_data_drifted(home: Path) -> None:
    write_cancer(home.parent / "cancer.csv")
    lines = (home.parent / "cancer.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    shifted = [
        ",".join([*(str(float(v) * 3 + 1) for v in line.split(",")[:-1]), line.split(",")[-1]])
        for line in lines[1:]
    ]
    (home.parent / "shifted.csv").write_text(lines[0] + "".join(shifted), encoding="utf-8")
    params = {key: SMALL[key] for key in SMALL if key != "agent"}
    params |= {"reference": "cancer.csv", "target": "benign", "model": "cancer"}

    async with session(home) as client:
        same, moved = [
            await ask(
                client, "workflow_run", agent=ME, name="drift-retrain",
                params={**params, "source": source},
            )
            for source in ("cancer.csv", "shifted.csv")
        ]  # fmt: skip
        calm = await finish(client, same["run_id"], "workflow_status")
        retrained = await finish(client, moved["run_id"], "workflow_status")

    assert calm["state"] == retrained["state"] == "succeeded"
    assert not calm["result"]["drift"]["is_drifted"]
    assert "No training was needed" in calm["result"]["stopped_because"]
    assert [s["state"] for s in calm["steps"]] == ["succeeded", "skipped", "skipped", "skipped"]
    assert retrained["result"]["drift"]["is_drifted"]
    assert retrained["result"]["version"] == 1


async def test_a_cancelled_training_registers_nothing(home: Path) -> None:
    async with session(home) as client:
        started = await ask(
            client, "training_start", agent=ME, source="builtin:friedman1", model="never",
            n_trials=1_000, timeout_s=3_600.0,
        )  # fmt: skip
        children = await searching(home)
        cancelled = await ask(client, "training_cancel", agent=ME, run_id=started["run_id"])
        psutil.wait_procs(children, timeout=LIMIT_S)
        after = await ask(client, "training_status", run_id=started["run_id"])
        page = await ask(client, "registry_list")

    assert not any(child.is_running() for child in children)
    assert cancelled["state"] == after["state"] == "cancelled"
    assert page["models"] == []


async def searching(home: Path) -> list[psutil.Process]:
    """Wait until a search runs on this data directory and return its processes."""
    with anyio.fail_after(LIMIT_S):
        while True:
            found = [p for p in psutil.Process().children(recursive=True) if is_search(p, home)]
            if found:
                return found
            await anyio.sleep(0.05)


def is_search(process: psutil.Process, home: Path) -> bool:
    try:
        is_step = "step" in process.cmdline()
        return is_step and process.environ().get("ML_ORCHESTRATOR_HOME") == str(home)
    except psutil.Error:  # it ended while we looked
        return False


BAD_TRAINING: list[tuple[dict[str, Any], str]] = [
    ({"source": "missing.csv"}, "missing.csv"),
    ({"source": "../outside.csv"}, "outside"),
    ({"source": "/etc/passwd"}, "/etc/passwd"),
    ({"target": "ghost"}, "ghost"),
    ({"target": "constant"}, "one value only"),
    ({"target": "hollow"}, "hollow"),
    ({"source": "empty.csv"}, "empty.csv"),
    ({"source": "header.csv"}, "0 rows"),
    ({"source": "garbage.parquet"}, "garbage.parquet"),
    ({"trainers": ["magic"]}, "linear"),
    ({"metric": "magic"}, "roc_auc"),
    ({"model": "../x"}, "model"),
    ({"alias": "champion"}, "alias"),
    ({"alias": "production"}, "alias"),
    ({"n_trials": "4"}, "'n_trials'"),
    ({"n_trial": 4}, "did you mean 'n_trials'"),
]


async def test_bad_training_input_is_refused_at_once_and_nothing_is_written(home: Path) -> None:
    folder = home.parent
    body = "".join(f"{i},{i % 2},1,\n" for i in range(40))
    (folder / "data.csv").write_text("x,y,constant,hollow\n" + body, encoding="utf-8")
    (folder / "empty.csv").write_text("", encoding="utf-8")
    (folder / "header.csv").write_text("x,y\n", encoding="utf-8")
    (folder / "garbage.parquet").write_bytes(b"not parquet at all")
    good = {**SMALL, "source": "data.csv", "target": "y", "model": "m"}

    async with session(home) as client:
        said = [await refusal(client, "training_start", **{**good, **c}) for c, _ in BAD_TRAINING]
        page = await ask(client, "registry_list")
        runs = await client.complete(
            ResourceTemplateReference(type="ref/resource", uri="run://{run_id}"),
            {"name": "run_id", "value": ""},
        )

    for (change, complaint), text in zip(BAD_TRAINING, said, strict=True):
        assert complaint in text, change
    assert page["models"] == []
    assert runs.completion.values == []
    assert not (home / "runs").exists()


WHAT_IS_MISSING: list[tuple[str, dict[str, Any], str]] = [
    ("registry_verify", {"model": "ghost", "version": 1}, "ghost"),
    ("registry_verify", {"model": "ghost", "version": "champion"}, "ghost"),
    ("registry_list", {"model": "ghost"}, "ghost"),
    ("model_predict", {"model": "ghost", "version": 1, "rows": [{"x": 1}]}, "ghost"),
    ("registry_move_alias", {**asked_move(1, None), "model": "ghost"}, "ghost"),
    ("registry_move_alias", {**asked_move(1, None), "alias": "champion\n"}, "alias"),
    ("workflow_run", {"agent": ME, "name": "train", "params": {}}, "source"),
    ("workflow_run", {"agent": ME, "name": "nothing", "params": {}}, "No workflow 'nothing'"),
    ("training_cancel", {"agent": ME, "run_id": "ghost"}, "ghost"),
]


async def test_what_does_not_exist_is_named(home: Path) -> None:
    async with session(home) as client:
        said = [await refusal(client, tool, **given) for tool, given, _ in WHAT_IS_MISSING]

    for (tool, given, complaint), text in zip(WHAT_IS_MISSING, said, strict=True):
        assert complaint in text, (tool, given)
