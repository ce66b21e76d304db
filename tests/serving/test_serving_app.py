"""Health, metrics, limits and the operator's door of a model server."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serving.http_server import TOKEN, Reply, http_server, send
from tests.serving.models import ASK, Shelf, make_slots

from ml_orchestrator.serving.address import Address
from ml_orchestrator.serving.app import Limits
from ml_orchestrator.serving.control import Traffic
from ml_orchestrator.serving.engine import Done, Outcome, Request
from ml_orchestrator.serving.metrics import Metrics
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.slot import Opened
from ml_orchestrator.serving.slots import ModelSlots

LIMIT_S = 30.0
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


class HeldEngine:
    """Takes requests and answers them when told."""

    def __init__(self) -> None:
        self.taken = threading.Semaphore(0)
        self.waiting: list[Done] = []

    def submit(self, request: Request, done: Done) -> None:
        self.waiting.append(done)
        self.taken.release()

    def fault(self) -> str | None:
        return None

    def close(self) -> None:
        self.answer()

    def answer(self) -> None:
        while self.waiting:
            self.waiting.pop()(Outcome(200, b'{"predictions": [1.0]}', (1.0,), 1))


@pytest.fixture
def held() -> HeldEngine:
    return HeldEngine()


def held_slots(engine: HeldEngine) -> ModelSlots:
    slots = ModelSlots("model", lambda _: Opened(engine, 1.0, 1.0))
    slots.start(1)
    return slots


@pytest.fixture(scope="module")
def address(tmp_path_factory: Any) -> Iterator[Address]:
    slots = make_slots(tmp_path_factory.mktemp("models"))
    with http_server(slots) as address:
        yield address


def test_a_server_without_a_model_is_alive_but_not_ready(tmp_path: Path) -> None:
    slots = ModelSlots("model", in_process(Shelf(tmp_path).checkout))
    with http_server(slots) as address:
        assert send(address, "/live").status == 200
        for path in ("/ping", "/health"):
            assert send(address, path).status == 503
        reply = send(address, "/invocations", ASK.body)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json == {
            "error_code": "TEMPORARILY_UNAVAILABLE",
            "message": "No version of 'model' is loaded.",
        }
        slots.load_green(2)
        slots.swap(expected_generation=slots.state().generation)
        assert send(address, "/ping").status == 200
        version = send(address, "/version").json
        assert (version["model"], version["blue"], version["green"]) == ("model", 2, None)


def test_metrics_count_requests_by_version_and_status(tmp_path: Path) -> None:
    metrics = Metrics()
    slots = make_slots(tmp_path, observe=metrics.observe)
    limits = Limits(max_body_bytes=1_000)
    with http_server(slots, metrics=metrics, limits=limits) as address:
        for body in (ASK.body, ASK.body, b"{}", b" " * 2_000):
            send(address, "/invocations", body)
        slots.load_green(2)
        slots.swap(expected_generation=slots.state().generation)
        send(address, "/invocations", ASK.body)
        reply = send(address, "/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = reply.body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    expected = {
        'ml_serving_requests_total{version="1",code="200"}': "2",
        'ml_serving_requests_total{version="1",code="400"}': "1",
        'ml_serving_requests_total{version="2",code="200"}': "1",
        'ml_serving_errors_total{version="1"}': "0",
        'ml_serving_rows_total{version="1"}': "2",
        'ml_serving_refused_total{code="413"}': "1",
        'ml_serving_latency_seconds_count{version="1"}': "3",
        'ml_serving_latency_seconds_bucket{version="1",le="+Inf"}': "3",
        'ml_serving_loaded{slot="blue",version="2"}': "1",
        'ml_serving_loaded{slot="green",version="1"}': "1",
        'ml_serving_chances_late_total{version="1"}': "0",
        "ml_serving_swaps_total": "1",
        "ml_serving_ready": "1",
    }
    assert {name: values[name] for name in expected} == expected
    assert 0 < float(values["ml_serving_last_flip_seconds"]) < 1
    kinds = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert sorted(set(kinds)) == sorted(kinds)  # each metric is declared once


def test_more_requests_at_once_than_allowed_are_told_to_come_back(held: HeldEngine) -> None:
    replies: list[Reply] = []
    limits = Limits(max_in_flight=2)
    with http_server(held_slots(held), limits=limits) as address:

        def ask() -> None:
            replies.append(send(address, "/invocations", ASK.body))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
            assert held.taken.acquire(timeout=LIMIT_S)
        refused = send(address, "/invocations", ASK.body)
        held.answer()
        for thread in threads:
            thread.join(LIMIT_S)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert refused.json["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert [reply.status for reply in replies] == [200, 200]


def test_a_request_that_takes_too_long_is_given_up(held: HeldEngine) -> None:
    with http_server(held_slots(held), limits=Limits(timeout_s=0.05)) as address:
        reply = send(address, "/invocations", ASK.body)
        assert send(address, "/live").status == 200
        held.answer()  # late, and heard by nobody
        assert send(address, "/live").status == 200
    assert (reply.status, reply.json["error_code"]) == (504, "DEADLINE_EXCEEDED")


def test_a_slot_that_is_let_go_finishes_its_requests_first(held: HeldEngine) -> None:
    engines = iter([held, HeldEngine()])
    slots = ModelSlots("model", lambda _: Opened(next(engines), 1.0, 1.0))
    slots.start(1)
    replies: list[Reply] = []
    with http_server(slots) as address:
        asking = threading.Thread(
            target=lambda: replies.append(send(address, "/invocations", ASK.body))
        )
        asking.start()
        assert held.taken.acquire(timeout=LIMIT_S)
        slots.load_green(2)
        state = slots.swap(expected_generation=slots.state().generation)
        letting_go = threading.Thread(
            target=slots.unload_green, kwargs={"expected_generation": state.generation}
        )
        letting_go.start()
        held.answer()
        letting_go.join(LIMIT_S)
        asking.join(LIMIT_S)
    assert [reply.status for reply in replies] == [200]


def test_copies_for_a_busy_shadow_are_dropped_and_counted(held: HeldEngine, tmp_path: Path) -> None:
    open_real = in_process(Shelf(tmp_path).checkout)
    slots = ModelSlots(
        "model", lambda version: open_real(1) if version == 1 else Opened(held, 1.0, 1.0)
    )
    slots.start(1)
    slots.load_green(2)
    shadow = Traffic(mode="shadow", green_share=1.0)
    slots.set_traffic(shadow, expected_generation=slots.state().generation)
    assert [slots.answer(ASK).status for _ in range(40)] == [200] * 40
    assert len(held.waiting) == 32
    assert slots.n_shadows_dropped == {2: 8}
    held.answer()
    slots.close()


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 401, "bearer token"),
        ({"Authorization": "Bearer wrong"}, 401, "bearer token"),
        ({"Authorization": f"Basic {TOKEN}"}, 401, "bearer token"),
        ({**ADMIN, "Host": "evil.example"}, 403, "host name"),
        ({**ADMIN, "Origin": "http://evil.example"}, 403, "another origin"),
        ({**ADMIN, "Origin": "null"}, 403, "another origin"),
    ],
)
def test_the_operators_door_is_shut_to_others(
    address: Address, headers: dict[str, str], status: int, message: str
) -> None:
    reply = send(address, "/admin/state", **headers)
    assert reply.status == status
    assert message in reply.json["message"]


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "["}, {"Origin": "http://evil.example"}]
)
def test_predictions_are_not_for_pages_of_another_origin(
    address: Address, headers: dict[str, str]
) -> None:
    assert send(address, "/invocations", ASK.body, **headers).status == 403


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("load", b"", 400, "does not fit"),
        ("load", b'{"version": 0}', 400, "version: Input should be greater than or equal to 1"),
        ("load", b'{"version": 1, "now": 1}', 400, "now"),
        ("load", b'{"version": 5000}', 404, "No version 5000"),
        ("load", b'{"version": 99}', 422, "was not loaded"),
        ("swap", b'{"expected_generation": 1}', 400, "No green version"),
        ("swap", b'{"expected_generation": 9}', 409, "generation 1, not 9"),
        ("swap", b" " * 20_000, 400, "larger than"),
        ("traffic", b'{"expected_generation": 1, "traffic": {"green_share": 2}}', 400, "traffic"),
        ("follow", b"", 400, "with a version, not with an alias"),
        ("nothing", b"", 404, "HTTP 404"),
    ],
)
def test_what_the_operator_asks_in_vain_is_said(
    address: Address, path: str, body: bytes, status: int, message: str
) -> None:
    reply = send(address, f"/admin/{path}", body, **ADMIN)
    assert (reply.status, set(reply.json)) == (status, {"error_code", "message"})
    assert message in reply.json["message"]


@pytest.mark.parametrize("window", ["x", "0", "-1", "nan", "inf", "1e9"])
def test_a_window_must_be_a_time(address: Address, window: str) -> None:
    assert send(address, f"/admin/stats?window_s={window}", **ADMIN).status == 400


def test_an_unknown_place_or_method_is_answered_in_the_same_shape(address: Address) -> None:
    for reply in (send(address, "/nowhere"), send(address, "/invocations")):
        assert reply.status in (404, 405)
        assert set(json.loads(reply.body)) == {"error_code", "message"}
    assert json.loads(reply.body)["message"] == "HTTP 405: /invocations takes POST; use that."
