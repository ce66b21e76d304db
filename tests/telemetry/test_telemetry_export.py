"""Telemetry of real processes, as it arrives at a real receiver in this one."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from tests.orchestration.workflow_bench import stop_workers
from tests.registry.flowers import iris, make_desk, register_flowers
from tests.serving.http_server import send
from tests.telemetry.receiver import Receiver, plain, receiving
from tests.tools.asking import ask
from tests.tools.test_stdio import server

from ml_orchestrator.orchestration.reactions import FEW
from ml_orchestrator.serving.launch import start_server, stop_server
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry import _export

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
KEEPS = "search-memories"  # the subscriber that every server has


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@asynccontextmanager
async def session(receiver: Receiver, home: Path) -> AsyncIterator[Client]:
    """Open a session of a server that sends all it knows to the receiver."""
    environment = {
        "ML_ORCHESTRATOR_HOME": str(home),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-login=open-sesame",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
    }
    try:
        async with Client(server(home.parent, **environment)) as client:
            yield client
    finally:
        stop_workers(home)


async def until(holds: Callable[[], Any], *, what: str) -> None:
    with anyio.move_on_after(LIMIT_S) as limit:
        while not holds():  # noqa: ASYNC110 it comes from another process
            await anyio.sleep(0.05)
    assert not limit.cancelled_caught, f"never arrived: {what}"


async def test_a_call_its_run_in_the_worker_and_the_step_are_one_trace(
    home: Path, receiver: Receiver
) -> None:
    data = "builtin:iris"
    async with session(receiver, home) as client:
        started = await ask(
            client,
            "workflow_run",
            agent="ml-orchestrator",
            name="drift-retrain",
            params={"source": data, "reference": data, "model": "flowers"},
        )
        ended = await ask(client, "workflow_status", run_id=started["run_id"], wait_s=50.0)
        assert ended["state"] == "succeeded", ended
        await until(lambda: receiver.named("run drift-retrain"), what="the span of the run")
        await until(lambda: receiver.points["ml_orchestrator.queue.depth"], what="the queue")

    call = receiver.one("tools/call workflow_run")
    run = receiver.one("run drift-retrain")
    step = receiver.one("drift")
    assert {run.trace_id, step.trace_id} == {call.trace_id}
    assert receiver.ancestors(step) == [
        "run drift-retrain",
        "WorkflowOrchestrator.start",
        "WorkflowOrchestrator.start_named",
        "tools/call workflow_run",
    ]
    assert [call.service, run.service, step.service] == [
        "ml-orchestrator-server",
        "ml-orchestrator-worker",
        "ml-orchestrator-worker",
    ]
    assert run.attributes["dbos.operation.workflow_id"] == started["run_id"]
    assert {"ml_orchestrator.queue.name": "runs", "ml_orchestrator.run.state": "queued"} in (
        receiver.attributes("ml_orchestrator.queue.depth")
    )
    assert set(receiver.logins) == {"open-sesame"}  # of the worker, too


def test_trials_in_the_process_of_a_step_belong_to_the_trace_and_are_counted(
    tmp_path: Path, receiver: Receiver
) -> None:
    try:
        _python(
            "from tests.telemetry.tiny_study import main; main()",
            tmp_path,
            {
                "PYTHONPATH": str(ROOT),
                "ML_ORCHESTRATOR_HOME": str(tmp_path),
                "ML_ORCHESTRATOR_PLUGINS": "tests.telemetry.tiny_study",
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            },
        )
    finally:
        stop_workers(tmp_path)

    trials = receiver.named("trial")
    assert [trial.attributes["ml_orchestrator.trial.number"] for trial in trials] == [0, 1]
    assert {trial.service for trial in trials} == {"ml-orchestrator-step"}
    assert {trial.trace_id for trial in trials} == {
        receiver.one("WorkflowOrchestrator.start").trace_id
    }
    assert receiver.ancestors(trials[0])[0] == "step tiny-study"
    ((_, counted),) = receiver.points["ml_orchestrator.trials"]
    assert counted.as_int == 2
    assert plain(counted.attributes) == {"ml_orchestrator.trial.state": "complete"}


async def test_a_trace_of_the_client_goes_on_and_calls_drift_and_errors_are_counted(
    home: Path, receiver: Receiver
) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    meta: Any = {"traceparent": f"00-{trace}-{parent}-01"}
    async with session(receiver, home) as client:
        await client.call_tool("health_get", {}, meta=meta)
        await ask(
            client,
            "drift_check",
            reference={"a": [float(n) for n in range(50)]},
            current={"a": [float(n) + 100 for n in range(50)]},
        )
        refused = await client.call_tool("training_status", {"run_id": "run-none"})
        assert refused.is_error

        await until(
            lambda: len(receiver.named("tools/call training_status")) == 1, what="the refused call"
        )
        await until(lambda: receiver.points["ml_orchestrator.drift.score"], what="the drift score")
        wanted = {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "training_status",
            "error.type": "tool_error",
        }
        await until(
            lambda: wanted in receiver.attributes("mcp.server.operation.duration"),
            what="its duration",
        )
    call = receiver.one("tools/call health_get")
    assert (call.trace_id, call.parent_id) == (trace, parent)
    named = {"mcp.method.name": "tools/call", "gen_ai.operation.name": "execute_tool"}
    assert call.attributes.items() >= {**named, "gen_ai.tool.name": "health_get"}.items()
    assert receiver.one("MonitoringCoordinator.health").parent_id == call.span_id
    failed = receiver.one("WorkflowOrchestrator.status")
    assert (failed.is_error, failed.attributes["error.type"]) == (True, "NotFoundError")
    assert "run-none" not in str(failed.attributes)
    _, point = receiver.points["ml_orchestrator.drift.score"][-1]
    assert (point.count, point.sum) == (1, 1.0)  # the two samples do not overlap at all
    assert {"ml_orchestrator.drift.is_drifted": True} in receiver.attributes(
        "ml_orchestrator.drift.checks"
    )


async def test_what_waits_for_subscribers_of_events_and_their_limits_are_told_over_stdio(
    home: Path, receiver: Receiver
) -> None:
    names = [f"ml_orchestrator.events.{name}" for name in ("waiting", "limit", "stuck", "behind")]
    service, mine = "ml-orchestrator-server", {"ml_orchestrator.event.subscriber": KEEPS}
    async with session(receiver, home) as client:
        await ask(client, "message_inbox", agent="ml-orchestrator", wait_s=0.1)  # opens the bus
        await until(
            lambda: all(service in receiver.services(name) for name in names), what="the gauges"
        )

    told = {name: [p for s, p in receiver.points[name] if s == service][-1] for name in names}
    assert [plain(point.attributes) for point in told.values()] == [mine] * 4
    assert [point.as_int for point in told.values()] == [0, FEW.first, 0, 0]


def test_rows_that_a_model_server_answers_are_counted_by_model_and_version(
    home: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(home)
    register_flowers(home, desk)
    settings = Settings.read({"ML_ORCHESTRATOR_HOME": str(home)}, project_dir=home.parent)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    rows = iris()[0].head(7)
    try:
        address = start_server(settings, "iris", version=1)
        for part in (rows[:3], rows[3:]):
            body = json.dumps({"dataframe_split": part.to_dict(orient="split")})
            assert send(address, "/invocations", body).status == 200
        assert send(address, "/invocations", '{"inputs": 1}').status == 400
    finally:
        stop_server(settings, "iris")

    ((service, counted),) = receiver.points["ml_orchestrator.predictions"][-1:]
    of_model = {"ml_orchestrator.model.name": "iris", "ml_orchestrator.model.version": 1}
    assert (service, counted.as_int, plain(counted.attributes)) == (
        "ml-orchestrator-serving",
        7,
        of_model,
    )
    durations = receiver.points["ml_orchestrator.prediction.duration"]
    answers = {plain(p.attributes)["http.response.status_code"]: p.count for _, p in durations}
    assert answers == {200: 2, 400: 1}


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, ("ml-orchestrator-worker", "ml-orchestrator", None)),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shop,deployment.environment=test"},
            ("ml-orchestrator-worker", "shop", "test"),
        ),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs"},
            ("theirs", "ml-orchestrator", None),
        ),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs", "OTEL_SERVICE_NAME": "own"},
            ("own", "ml-orchestrator", None),
        ),
    ],
)
def test_what_the_variables_say_of_the_resource_goes_before_ours(
    environ: dict[str, str], told: tuple[str | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    attributes = _export._resource("worker").attributes
    names = ("service.name", "service.namespace", "deployment.environment")
    assert tuple(attributes.get(name) for name in names) == told


async def test_a_collector_that_is_not_there_harms_no_session(tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with anyio.fail_after(LIMIT_S):
        async with Client(server(tmp_path, **environment)) as client:
            loaded = await ask(client, "memory_load", agent="ml-orchestrator")
    assert loaded["memory"]["n_tasks"] == 0


def test_with_telemetry_off_neither_sdk_nor_exporter_is_loaded(tmp_path: Path) -> None:
    assert _loaded(tmp_path) == []


def test_with_telemetry_on_both_are(tmp_path: Path, receiver: Receiver) -> None:
    """The other way round, so that the test above can fail."""
    loaded = _loaded(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert {"opentelemetry.sdk.trace", "opentelemetry.sdk.metrics"} <= set(loaded)


def _loaded(folder: Path, **environment: str) -> list[str]:
    """Return what is loaded of the SDK and the exporter after a call to a server."""
    code = (
        "import anyio, os, sys\n"
        "from ml_orchestrator.app import build_server\n"
        "from ml_orchestrator.settings import Settings\n"
        "from ml_orchestrator.telemetry.process import exporting\n"
        "from mcp import Client\n"
        "async def main():\n"
        "    async with Client(build_server(Settings.read())) as client:\n"
        "        result = await client.call_tool('memory_load', {'agent': 'a'})\n"
        "        assert not result.is_error, result\n"
        "with exporting('server', os.environ):\n"
        "    anyio.run(main)\n"
        "heavy = ('opentelemetry.sdk', 'opentelemetry.exporter')\n"
        "print(*sorted(name for name in sys.modules if name.startswith(heavy)))\n"
    )
    return _python(code, folder, environment).split()


def _python(code: str, folder: Path, environment: Mapping[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR",
            "ML_ORCHESTRATOR_WORKER_IDLE_S": "2",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return ran.stdout
