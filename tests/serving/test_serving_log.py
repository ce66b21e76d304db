"""The serving log: what it holds, what it leaves out, and that nobody waits for it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tests.registry.flowers import iris, train
from tests.serving.http_server import send
from tests.serving.load import STRENGTHS, question
from tests.serving.models import ASK, make_slots, predicted

from ml_orchestrator.health.monitors.models import read_spec
from ml_orchestrator.orchestration.monitors.desk import MonitorDesk
from ml_orchestrator.orchestration.monitors.looking import look_once
from ml_orchestrator.orchestration.monitors.opening import open_monitors
from ml_orchestrator.serving import log as serving_log
from ml_orchestrator.serving.control import Traffic
from ml_orchestrator.serving.engine import Outcome, Request
from ml_orchestrator.serving.launch import start_server, stop_server
from ml_orchestrator.serving.log import LogLimits, ServingLog
from ml_orchestrator.serving.log_files import (
    OwnColumns,
    log_files,
    log_folder,
    prune,
    write_file,
)
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

LIMIT_S = 60.0
NOON_S = 1_774_699_200.0  # 2026-03-28T12:00:00Z
ALL = LogLimits(rate=1.0, max_days=30, max_bytes=1_000_000_000)
COLUMNS = (
    Column("age", "double", is_required=False),
    Column("plan", "string", is_required=False),
    Column("prediction", "long", is_required=True),
)
WRITER = """
import sys
from pathlib import Path
from random import Random
from tests.serving.models import ASK
from ml_orchestrator.serving.engine import Outcome
from ml_orchestrator.serving.log import LogLimits, ServingLog
from ml_orchestrator.serving.signature import Column
limits = LogLimits(rate=1.0, max_days=30, max_bytes=1_000_000_000)
log = ServingLog(Path(sys.argv[1]), "model", limits, rng=Random(0), flush_s=0.01)
outcome = Outcome(200, b"", predictions=(1.0,), n_rows=1)
while True:
    log.offer(1, (Column("x", "double", True),), ASK, outcome)
"""


def asked(rows: list[dict[str, Any]]) -> Request:
    return Request("application/json", json.dumps({"dataframe_records": rows}).encode())


def answered(*predictions: Any) -> Outcome:
    return Outcome(200, b"", predictions=predictions, n_rows=len(predictions))


def read(home: Path, model: str = "model") -> pl.DataFrame:
    files = [file.path for file in log_files(log_folder(home, model))]
    return pl.concat([pl.read_parquet(path) for path in files], how="diagonal_relaxed")


def until(holds: Any) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_a_row_holds_the_inputs_as_they_were_taken_what_was_said_by_whom_and_when(
    tmp_path: Path,
) -> None:
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0), clock=lambda: NOON_S)
    log.offer(
        3,
        COLUMNS,
        asked(
            [
                {"age": 41.5, "plan": "basic", "prediction": 1},
                {"age": None, "plan": None, "prediction": 2},
            ]
        ),
        answered("yes", "no"),
    )
    log.offer(4, COLUMNS[:1], asked([{"age": 7.0, "more": "x"}]), answered(0.5))
    log.close()

    found = read(tmp_path)
    assert found.select("age", "plan", "prediction", "_prediction").rows()[:2] == [
        (41.5, "basic", 1, "yes"),
        (None, None, 2, "no"),
    ]
    assert found["model_version"].to_list() == [3, 3, 4]
    assert found["served_at"].dt.epoch("s").unique().to_list() == [int(NOON_S)]
    assert read(tmp_path).filter(pl.col("model_version") == 4)["age"].to_list() == [7.0]


def test_a_share_of_the_requests_is_kept_and_none_that_failed(tmp_path: Path) -> None:
    limits = LogLimits(rate=0.25, max_days=30, max_bytes=1_000_000_000)
    log = ServingLog(tmp_path, "model", limits, rng=Random(7))
    column = (Column("x", "double", is_required=True),)
    for _ in range(800):
        log.offer(1, column, ASK, answered(1.0))
        log.offer(1, column, ASK, Outcome(500, b""))
    log.close()

    # Binomial(800, 1/4): 200 with a deviation of 12; 60 are five of them
    assert abs(read(tmp_path).height - 200) < 60
    assert log.n_dropped == 0


def test_a_log_that_cannot_be_written_fails_no_request(tmp_path: Path) -> None:
    (tmp_path / "serving-log").write_text("a file where the folder should be")
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0), flush_s=0.0)
    slots = make_slots(tmp_path, record=log.offer)
    assert [predicted(slots) for _ in range(5)] == [1.0] * 5
    until(lambda: log.n_dropped == 5)
    slots.close()
    log.close()


def test_a_writer_that_does_not_keep_up_costs_rows_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServingLog, "_work", lambda _: None)  # nobody takes anything out
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0))
    for _ in range(1_100):
        log.offer(1, COLUMNS, ASK, answered(1.0))

    assert log.n_dropped == 100


def test_what_waits_to_be_written_counts_as_memory_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_log, "MOST_WAITING_BYTES", 4 * len(ASK.body))
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0), flush_s=LIMIT_S)
    for _ in range(20):
        log.offer(1, (Column("x", "double", is_required=True),), ASK, answered(1.0))
        until(log._waiting.empty)  # the writer took it and keeps it for the next file

    assert log.n_dropped == 16
    log.close()
    assert read(tmp_path).height == 4


def test_so_many_bytes_are_written_at_once_and_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_log, "MOST_WAITING_BYTES", 4 * len(ASK.body))
    monkeypatch.setattr(serving_log, "FLUSH_BYTES", 2 * len(ASK.body))
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0), flush_s=LIMIT_S)
    for n_files in range(1, 4):
        for _ in range(2):
            log.offer(1, (Column("x", "double", is_required=True),), ASK, answered(1.0))
        until(lambda n=n_files: len(log_files(log_folder(tmp_path, "model"))) == n)
        until(lambda: log._waiting_bytes == 0)

    assert log.n_dropped == 0
    log.close()


def test_what_a_shadow_says_is_not_logged(tmp_path: Path) -> None:
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0))
    slots = make_slots(tmp_path, record=log.offer)
    slots.load_green(2)
    slots.set_traffic(
        Traffic(mode="shadow", green_share=1.0), expected_generation=slots.state().generation
    )
    assert [predicted(slots) for _ in range(3)] == [1.0] * 3
    slots.close()
    log.close()

    assert read(tmp_path).select("x", "prediction", "model_version").rows() == [(1.0, 1.0, 1)] * 3


def test_a_killed_server_leaves_files_that_can_be_read(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], env=environment)
    folder = log_folder(tmp_path, "model")
    try:
        until(lambda: writer.poll() is None and len(log_files(folder)) >= 5)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait(LIMIT_S)

    found = read(tmp_path)
    assert found.height >= 5
    assert found["prediction"].unique().to_list() == [1.0]


def test_old_files_go_by_age_and_by_size_and_so_do_old_drafts(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0]})
    paths = [
        write_file(tmp_path, table, last_us=int((NOON_S - age) * 1e6), writer="0" * 8, number=age)
        for age in (0, 10, 20, 86_401)
    ]
    stale = tmp_path / ".draft-of-a-dead-server"
    stale.touch()
    os.utime(stale, (NOON_S - 4_000, NOON_S - 4_000))
    size = paths[0].stat().st_size

    n_gone = prune(tmp_path, now_s=NOON_S, max_age_s=86_400, max_bytes=2 * size)

    assert n_gone == 2
    assert [file.path for file in log_files(tmp_path)] == [paths[1], paths[0]]
    assert not stale.exists()


def test_old_files_go_while_nothing_is_asked_at_the_start_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_log, "PRUNE_S", 0.05)
    folder = log_folder(tmp_path, "model")
    folder.mkdir(parents=True)
    for number, age_s in enumerate((31 * 86_400, 60)):
        last_us = int((NOON_S - age_s) * 1e6)
        write_file(folder, pa.table({"x": [1.0]}), last_us=last_us, writer="0" * 8, number=number)
    now = [NOON_S]

    log = ServingLog(tmp_path, "model", ALL, rng=Random(0), clock=lambda: now[0], flush_s=0.01)
    until(lambda: len(log_files(folder)) == 1)
    now[0] += 31 * 86_400
    until(lambda: not log_files(folder))

    log.close()


@pytest.fixture
def logging_server(settings: Settings) -> Iterator[Settings]:
    wanted = settings.model_copy(update={"serving_log_rate": 1.0})
    yield wanted
    stop_server(wanted, "iris")


def test_a_model_server_that_was_told_to_logs_what_it_answers(logging_server: Settings) -> None:
    address = start_server(logging_server, "iris")
    body, _ = question()
    answers = [send(address, "/invocations", body).json["predictions"] for _ in range(3)]
    stop_server(logging_server, "iris")

    found = read(logging_server.home, "iris")
    assert found["prediction"].to_list() == [value for answer in answers for value in answer]
    assert found["model_version"].unique().to_list() == [1]
    frame, _ = iris()
    own = OwnColumns.among(found.columns).probabilities(found.columns)
    expected = train(c=STRENGTHS[0]).predict_proba(frame.iloc[50:150])
    assert list(own) == ["setosa", "versicolor", "virginica"]
    assert found[:100].select(own.values()).to_numpy() == pytest.approx(expected, abs=1e-9)


def test_a_monitor_estimates_the_performance_of_a_served_model_and_sees_its_predictions_drift(
    logging_server: Settings,
) -> None:
    frame, species = iris()
    model = train(c=STRENGTHS[0])
    chances = model.predict_proba(frame)
    reference = pl.DataFrame({"species": species.to_list(), "prediction": model.predict(frame)})
    for label, column in zip(model.classes_, chances.T, strict=True):
        reference = reference.with_columns(pl.Series(f"probability_{label}", column))
    reference.write_csv(logging_server.project_dir / "held-out.csv")
    spec = {
        "watch": "serving:iris",
        "reference": "held-out.csv",
        "performance": {"target": "species", "basis": "estimated"},
        "drift": {"columns": ["prediction", *reference.columns[2:]]},
        "rows": 5_000,
    }
    shutil.rmtree(log_folder(logging_server.home, "iris"), ignore_errors=True)
    address = start_server(logging_server, "iris")
    database = open_database(logging_server.state_url, logging_server.home)
    store = open_monitors(database)
    store.put("flowers", read_spec(spec), owner="ann", is_paused=False)

    def serve(rows: Any) -> None:
        body = {
            "dataframe_split": {"columns": list(frame.columns), "data": rows.to_numpy().tolist()}
        }
        assert send(address, "/invocations", json.dumps(body).encode()).status == 200

    def look(number: int) -> Any:
        look_once(logging_server, store, "flowers", run_id=f"run-{number}")
        return store.looks("flowers", limit=1)[0]

    serve(frame.sample(serving_log.FLUSH_ROWS, replace=True, random_state=1))
    until(lambda: log_files(log_folder(logging_server.home, "iris")))
    good = look(1)
    unsure = np.argsort(np.sort(chances)[:, -1])[:20]
    serve(frame.iloc[np.tile(unsure, 20)])
    stop_server(logging_server, "iris")
    bad = look(2)
    plan = MonitorDesk(logging_server, database).set("flowers", spec, actor="ann", dry_run=True)
    database.close()

    assert not [line for line in plan.does if line.startswith("Note: ")]
    assert good.verdict == "good", good
    assert "estimated without labels" in good.summary
    assert bad.verdict == "bad"
    said = " ".join(bad.findings)
    assert "estimated without labels" in said
    assert "Column 'probability_setosa' drifted" in said
