"""Roll-outs through the client: real versions, a real detached server, a real worker."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from mcp.client import Client
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from tests.orchestration.workflow_bench import stop_workers
from tests.registry.flowers import iris, log_flowers, make_desk
from tests.tools.asking import ask

from ml_orchestrator.app import build_server
from ml_orchestrator.orchestration.launch import worker_leases
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.control import ServingState
from ml_orchestrator.serving.launch import find_server, stop_server
from ml_orchestrator.settings import Settings

ME, OPS, LIMIT_S = "ml-orchestrator", "infrastructure-specialist", 180.0
QUICK = {"interval_s": 0.3, "initial_delay_s": 0.3, "count": 2, "window_s": 5, "min_requests": 5}
GATES = [
    {"metric": "health", "succeeds_at_most": 0, **QUICK, "min_requests": 0},
    {"metric": "error_rate", "succeeds_at_most": 0.01, "fails_above": 0.05, **QUICK},
    {"metric": "latency_p50_ratio", "succeeds_at_most": 3, "fails_above": 5, **QUICK},
    {"metric": "prediction_drift", "succeeds_at_most": 0.1, "fails_above": 0.2, **QUICK,
     "min_requests": 30, "inconclusive_limit": 50},
]  # fmt: skip
SPEC = {"gates": GATES, "bake_s": 2.0}
GOOD, BETTER, FRAGILE = 1, 2, 3


def register(home: Path) -> None:
    """Register two good versions, and one that fails where values are missing, as some are."""
    desk = make_desk(home)
    frame, target = iris()
    columns = list(frame.columns)
    estimators = [
        DecisionTreeClassifier(max_depth=3, random_state=0),
        DecisionTreeClassifier(max_depth=4, random_state=1),
        LogisticRegression(max_iter=500),
    ]
    for number, estimator in enumerate(estimators):
        model = estimator.fit(frame, target)
        logged = log_flowers(
            home, f"iris-{number}", model=model, predictions=model.predict(frame),
            may_miss=columns, trusted_types=["sklearn.tree._tree.Tree"],
        )  # fmt: skip
        desk.vault.register("iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={})


@contextmanager
def visitors(settings: Settings) -> Iterator[list[int]]:
    """Ask the model's server again and again, every tenth time with a value missing."""
    statuses: list[int] = []
    over = threading.Event()
    frame, _ = iris()
    rows = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]

    def ask() -> None:
        rng = np.random.default_rng(0)
        while not over.wait(0.005):
            address = find_server(settings, "iris")
            if address is None:
                continue
            row = dict(rows[rng.integers(len(rows))])
            if rng.random() < 0.1:
                row[str(frame.columns[0])] = None
            with suppress(OSError, http.client.HTTPException):
                statuses.append(invoke(address.url, [row])[0])

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()


def invoke(url: str, rows: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    try:
        body = json.dumps({"dataframe_records": rows})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Client]:
    try:
        async with Client(build_server(settings)) as client:
            yield client
    finally:
        stop_workers(settings.home)
        stop_server(settings, "iris", wait_s=5.0)


async def ended(client: Client, rollout_id: str) -> dict[str, Any]:
    give_up_at = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_at:
        status = await ask(client, "deployment_status", rollout=rollout_id, wait_s=10.0)
        if status["state"] in ("promoted", "rolled_back", "aborted"):
            return status
        assert status["needs"] is None, status
    raise AssertionError(f"it did not end: {status}")


async def kill_the_worker_in_the_bake(client: Client, settings: Settings, rollout_id: str) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while (status := await ask(client, "deployment_status", rollout=rollout_id))[
        "state"
    ] != "baking":
        assert time.monotonic() < give_up_at, status
    (lease,) = [lease for lease in worker_leases(settings).all() if lease.is_live]
    os.kill(lease.pid, signal.SIGKILL)


def asked(version: int, expected_version: int | None, **given: Any) -> dict[str, Any]:
    return {
        "agent": ME, "model": "iris", "version": version, "expected_version": expected_version,
        "reason": "a better score", "spec": SPEC, **given,
    }  # fmt: skip


async def test_a_good_version_is_promoted_and_a_failing_one_goes_back_by_itself(
    home: Path,
) -> None:
    register(home)
    settings = Settings.read({}, project_dir=home.parent, home=home, worker_idle_s=2.0)
    async with session(settings) as client:
        first = await ask(
            client, "deployment_start", **asked(GOOD, None, spec={"gates": [], "bake_s": 0})
        )
        first_ended = await ended(client, first["rollout"]["rollout_id"])
        with visitors(settings) as statuses:
            plan = await ask(client, "deployment_start", **asked(BETTER, GOOD, dry_run=True))
            begun = await ask(
                client, "deployment_start",
                **asked(BETTER, GOOD, plan_digest=plan["plan"]["digest"], idempotency_key="k"),
            )  # fmt: skip
            await kill_the_worker_in_the_bake(client, settings, begun["rollout"]["rollout_id"])
            promoted = await ended(client, begun["rollout"]["rollout_id"])
            n_before_the_bad = len(statuses)
            again = await ask(
                client, "deployment_start", **asked(BETTER, GOOD, idempotency_key="k")
            )
            page = await ask(client, "registry_list", model="iris")
            bad = await ask(client, "deployment_start", **asked(FRAGILE, BETTER))
            back = await ended(client, bad["rollout"]["rollout_id"])
        address = find_server(settings, "iris")
        assert address is not None
        status, answer = invoke(address.url, [{str(c): 1.0 for c in iris()[0].columns}])
        inbox = await ask(client, "message_inbox", agent=OPS)
        history = await ask(client, "registry_list", model="iris")

    assert first_ended["state"] == "promoted", first_ended
    assert plan["rollout"] is None
    assert promoted["state"] == "promoted", promoted
    kinds = [event["kind"] for event in promoted["events"]]
    assert (kinds.count("pointer"), kinds.count("alias")) == (1, 1)
    assert again["rollout"]["rollout_id"] == promoted["rollout_id"]
    assert page["models"][0]["aliases"] == {"champion": BETTER}
    assert statuses[:n_before_the_bad] == [200] * n_before_the_bad
    assert back["state"] == "rolled_back", back
    assert back["reason"].startswith("Gate error_rate failed")
    assert history["models"][0]["aliases"] == {"champion": BETTER}
    assert [(m["from_version"], m["to_version"]) for m in history["moves"]] == [
        (FRAGILE, BETTER), (BETTER, FRAGILE), (GOOD, BETTER), (None, GOOD),
    ]  # fmt: skip
    assert status == 200, answer
    urgent = [m for m in inbox["messages"] if m["priority"] == "urgent"]
    assert [m["metadata"]["rollout_id"] for m in urgent] == [back["rollout_id"]]
    assert 0 < back["rollback_ms"] < LIMIT_S * 1e3
    print(back["rollback_ms"])


def serving_state(settings: Settings) -> ServingState:
    address = find_server(settings, "iris")
    assert address is not None
    return HttpServingControl(address).state()


def until_answering(settings: Settings, version: int) -> None:
    """Wait until ``version`` answers: it may be loaded after the word of a move has come."""
    give_up_at = time.monotonic() + LIMIT_S
    while (state := serving_state(settings)).blue != version:
        assert time.monotonic() < give_up_at, state


async def test_a_server_that_a_roll_out_started_follows_moves_but_none_against_a_roll_out(
    home: Path,
) -> None:
    register(home)
    settings = Settings.read({}, project_dir=home.parent, home=home, worker_idle_s=2.0)
    held = {
        "strategy": "canary", "steps": [{"percent": 50, "pause_s": None}, {"percent": 100}],
        "gates": GATES[:1],
    }  # fmt: skip

    async def move(client: Client, version: Any, expected_version: int) -> None:
        await ask(
            client, "registry_move_alias", agent=ME, model="iris", alias="champion",
            version=version, expected_version=expected_version, reason="by hand",
        )  # fmt: skip

    async with session(settings) as client:
        first = asked(GOOD, None, spec={"gates": [], "bake_s": 0, "isolate": True})
        begun = await ask(client, "deployment_start", **first)
        assert (await ended(client, begun["rollout"]["rollout_id"]))["state"] == "promoted"
        address = find_server(settings, "iris")
        assert address is not None
        assert len(psutil.Process(address.pid).children()) == 1  # the model's own
        await move(client, BETTER, GOOD)
        until_answering(settings, BETTER)
        await move(client, "previous", BETTER)
        until_answering(settings, GOOD)

        begun = await ask(client, "deployment_start", **asked(FRAGILE, GOOD, spec=held))
        rollout_id = begun["rollout"]["rollout_id"]
        waiting = await ask(client, "deployment_status", rollout=rollout_id, wait_s=50.0)
        assert waiting["needs"] == "deployment_decide: resume or abort", waiting
        before = serving_state(settings)
        await move(client, BETTER, GOOD)
        assert serving_state(settings) == before
        assert (before.blue, before.green, before.traffic.green_share) == (GOOD, FRAGILE, 0.5)
        await ask(
            client, "deployment_decide", agent=ME, rollout_id=rollout_id, choice="resume",
            reason="go on",
        )  # fmt: skip
        give_up_at = time.monotonic() + LIMIT_S
        while (await ask(client, "deployment_status", rollout=rollout_id))["needs"] is not None:
            assert time.monotonic() < give_up_at
        back = await ended(client, rollout_id)
        until_answering(settings, BETTER)

    assert (back["state"], back["reason"]) == ("rolled_back", "Somebody else moved @champion to 2.")
