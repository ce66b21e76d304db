"""Probabilities in the serving log: asked for after the answer, of versions that tell them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from sklearn.linear_model import LinearRegression, LogisticRegression
from tests.serving.models import INPUTS, Copy, Description

from ml_orchestrator.serving import log as serving_log
from ml_orchestrator.serving import slot as serving_slot
from ml_orchestrator.serving.chances import Chances, chances_outcome, read_chances
from ml_orchestrator.serving.engine import Outcome, Request
from ml_orchestrator.serving.isolated import in_own_process
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.log import LogLimits, ServingLog
from ml_orchestrator.serving.log_files import OwnColumns, log_files, log_folder
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.slot import Opened, Slot
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.serving.threaded import ThreadEngine
from ml_orchestrator.settings import Settings

LIMIT_S = 60.0
ALL = LogLimits(rate=1.0, max_days=30, max_bytes=1_000_000_000)
X = Column("x", "double", is_required=True)
SHARES = np.array([[0.25, 0.75], [0.5, 0.5]])


def question(*values: float) -> Request:
    return Request("application/json", json.dumps({"inputs": {"x": values}}).encode())


def say(told: Chances | None, _: Request) -> Chances | None:
    return told


def classifier() -> LogisticRegression:
    frame = pd.DataFrame({"x": np.linspace(-2, 2, 40)})
    return LogisticRegression().fit(frame, np.where(frame["x"] > 0, "yes", "no"))


def read(home: Path) -> pl.DataFrame:
    files = [file.path for file in log_files(log_folder(home, "model"))]
    return pl.concat([pl.read_parquet(path) for path in files], how="diagonal_relaxed")


@pytest.mark.parametrize("is_isolated", [False, True], ids=["thread", "process"])
def test_the_log_holds_the_probability_of_each_class_in_either_process(
    tmp_path: Path, is_isolated: bool
) -> None:
    model = classifier()
    skops.io.dump(model, tmp_path / "model.skops")

    @contextmanager
    def checkout(_: int) -> Iterator[Copy]:
        yield Copy(tmp_path, Description("model.skops", INPUTS), "digest")

    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    opens = in_own_process(checkout, settings) if is_isolated else in_process(checkout)
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0))
    slots = ModelSlots("model", opens, record=log.offer)
    slots.start(1)
    assert json.loads(slots.answer(question(-1.0, 2.0)).body) == {"predictions": ["no", "yes"]}
    assert json.loads(slots.answer(question(0.5)).body) == {"predictions": ["yes"]}
    until_taken(log, 2)
    slots.close()
    log.close()

    found = read(tmp_path)
    own = OwnColumns.among(found.columns).probabilities(found.columns)
    assert own == {"no": "probability_no", "yes": "probability_yes"}
    expected = model.predict_proba(pd.DataFrame({"x": [-1.0, 2.0, 0.5]}))
    assert found.select(own.values()).to_numpy() == pytest.approx(expected, abs=1e-12)


def until(holds: Callable[[], bool]) -> None:
    pause, n_left = Event(), int(LIMIT_S / 0.01)
    while not holds():
        n_left -= 1
        assert n_left > 0
        pause.wait(0.01)


def until_taken(log: ServingLog, n_requests: int) -> None:
    """Wait until the writer keeps so many requests for its next file, chances and all."""
    until(lambda: len(log._rows) >= n_requests)


def test_a_version_without_probabilities_is_asked_once_and_logged_without() -> None:
    engine = ThreadEngine(
        LoadedModel(LinearRegression().fit([[0.0], [1.0]], [0, 1]), (X,)), name="m"
    )
    slot = Slot(1, Opened(engine, 0.0, 0.0, columns=(X,)), Random(0))
    asked: list[Request] = []
    submit = engine.submit

    def counted(request: Request, done: Any) -> None:
        asked.append(request)
        submit(request, done)

    engine.submit = counted  # type: ignore[method-assign]
    assert [slot.chances(question(1.0)) for _ in range(3)] == [None] * 3
    assert [request.asks for request in asked] == ["chances"]
    slot.close(wait_s=LIMIT_S)
    assert slot.chances(question(1.0)) is None


def test_a_version_that_takes_too_long_for_them_is_asked_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving_slot, "CHANCES_S", 0.01)
    monkeypatch.setattr(serving_slot, "ASK_AGAIN_S", 0.0)
    may_go_on = Event()

    class Slow:
        classes_ = np.array([0, 1])

        def predict(self, frame: pd.DataFrame) -> Any:
            return np.zeros(len(frame))

        def predict_proba(self, frame: pd.DataFrame) -> Any:
            may_go_on.wait(LIMIT_S)
            return np.tile([0.5, 0.5], (len(frame), 1))

    engine = ThreadEngine(LoadedModel(Slow(), (X,)), name="slow")
    slot = Slot(1, Opened(engine, 0.0, 0.0, columns=(X,)), Random(0))
    assert slot.chances(question(1.0)) is None
    assert slot.chances(question(1.0)) is None  # it has not answered yet: it is not asked
    assert (slot.in_flight, slot.n_late) == (1, 1)
    monkeypatch.setattr(serving_slot, "CHANCES_S", LIMIT_S)
    monkeypatch.setattr(serving_slot, "ASK_AGAIN_S", LIMIT_S)
    may_go_on.set()
    until(lambda: slot.in_flight == 0)
    assert slot.chances(question(1.0)) is not None
    monkeypatch.setattr(serving_slot, "CHANCES_S", 0.0)
    may_go_on.clear()
    assert slot.chances(question(1.0)) is None
    may_go_on.set()
    until(lambda: slot.in_flight == 0)
    monkeypatch.setattr(serving_slot, "CHANCES_S", LIMIT_S)
    assert slot.chances(question(1.0)) is None  # a minute has not passed
    assert slot.n_late == 2
    slot.close(wait_s=LIMIT_S)


def test_a_log_that_is_closed_asks_no_more_and_writes_all_that_waits(tmp_path: Path) -> None:
    log, n_asked, may_go_on = ServingLog(tmp_path, "model", ALL, rng=Random(0)), 0, Event()
    answered = Outcome(200, b"", predictions=("yes",), n_rows=1)

    def slow(_: Request) -> Chances | None:
        nonlocal n_asked
        n_asked += 1
        may_go_on.wait(LIMIT_S)
        return None

    for _ in range(900):
        log.offer(1, (X,), question(1.0), answered, slow)
    until(lambda: n_asked == 1)
    closing = Thread(target=log.close)
    closing.start()
    until(log._closing.is_set)
    log.offer(1, (X,), question(1.0), answered, slow)
    may_go_on.set()
    closing.join(LIMIT_S)

    assert (n_asked, read(tmp_path).height, log.n_dropped) == (1, 900, 1)


def test_a_log_that_cannot_end_in_time_counts_what_it_did_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_log, "CLOSE_S", 0.01)
    log, has_begun, may_go_on = ServingLog(tmp_path, "model", ALL, rng=Random(0)), Event(), Event()
    answered = Outcome(200, b"", predictions=("yes",), n_rows=1)

    def stuck(_: Request) -> Chances | None:
        has_begun.set()
        may_go_on.wait(LIMIT_S)
        return None

    for _ in range(30):
        log.offer(1, (X,), question(1.0), answered, stuck)
    assert has_begun.wait(LIMIT_S)
    log.close()
    assert log.n_dropped == 30
    may_go_on.set()
    log._thread.join(LIMIT_S)


def test_of_a_long_queue_no_chances_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_log, "MOST_TO_ASK", 10)
    log, has_begun, may_go_on = ServingLog(tmp_path, "model", ALL, rng=Random(0)), Event(), Event()
    answered = Outcome(200, b"", predictions=("yes", "no"), n_rows=2)
    told = Chances(("no", "yes"), SHARES)

    def slow(_: Request) -> Chances | None:
        has_begun.set()
        may_go_on.wait(LIMIT_S)
        return told

    log.offer(1, (X,), question(1.0, 2.0), answered, slow)
    assert has_begun.wait(LIMIT_S)
    for _ in range(30):
        log.offer(1, (X,), question(1.0, 2.0), answered, slow)
    may_go_on.set()
    until_taken(log, 31)
    log.close()
    found = read(tmp_path)["probability_yes"]
    assert (found.len(), found.null_count()) == (62, 38)  # of 30 that wait 19 find over 10 behind


def test_answers_that_wait_go_before_chances() -> None:
    order: list[str] = []
    begun, may_go_on, is_done = Event(), Event(), Event()

    class Told:
        classes_ = np.array([0, 1])

        def predict(self, frame: pd.DataFrame) -> Any:
            begun.set()
            may_go_on.wait(LIMIT_S)
            return np.zeros(len(frame))

        def predict_proba(self, frame: pd.DataFrame) -> Any:
            return np.tile([0.5, 0.5], (len(frame), 1))

    engine = ThreadEngine(LoadedModel(Told(), (X,)), name="m")
    engine.submit(question(1.0), lambda _: order.append("first"))
    assert begun.wait(LIMIT_S)  # it is busy: what comes now waits together
    chances = Request("application/json", question(1.0).body, asks="chances")

    def told(_: Outcome) -> None:
        order.append("chances")
        is_done.set()

    engine.submit(chances, told)
    engine.submit(question(2.0), lambda _: order.append("second"))
    may_go_on.set()
    assert is_done.wait(LIMIT_S)
    engine.close()

    assert order == ["first", "second", "chances"]


def test_versions_of_other_classes_and_rows_without_probabilities_share_a_log(
    tmp_path: Path,
) -> None:
    log = ServingLog(tmp_path, "model", ALL, rng=Random(0))
    answered = Outcome(200, b"", predictions=("yes", "no"), n_rows=2)
    for version, told in (
        (1, Chances(("no", "yes"), SHARES)),
        (1, None),
        (1, Chances(("no", "yes"), SHARES[:1])),  # of other rows
        (2, Chances(("maybe", "yes"), SHARES)),
    ):
        log.offer(version, (X,), question(1.0, 2.0), answered, partial(say, told))
    until_taken(log, 4)
    log.close()

    found = read(tmp_path).sort("model_version", maintain_order=True)
    assert found["probability_yes"].to_list() == [0.75, 0.5, None, None, None, None, 0.75, 0.5]
    assert found["probability_maybe"].drop_nulls().to_list() == [0.25, 0.5]


def test_an_input_that_is_called_like_a_probability_is_not_taken_for_one(tmp_path: Path) -> None:
    columns = (X, Column("probability_of_rain", "double", is_required=True))
    rows = [{"x": 1.0, "probability_of_rain": 0.1}, {"x": 2.0, "probability_of_rain": 0.2}]
    body = json.dumps({"dataframe_records": rows}).encode()
    asked, answered = Request("application/json", body), Outcome(200, b"", (1.0, 0.0), 2)
    found = []
    for number, told in enumerate((None, Chances(("0", "1"), SHARES))):
        home = tmp_path / str(number)
        log = ServingLog(home, "model", ALL, rng=Random(0))
        log.offer(1, columns, asked, answered, partial(say, told))
        until_taken(log, 1)
        log.close()
        names = read(home).columns
        found.append(OwnColumns.among(names).probabilities(names))

    assert found == [{}, {"0": "_probability_0", "1": "_probability_1"}]


class Says:
    """A model that says of its classes what a test wants."""

    def __init__(self, classes: Any, said: Any) -> None:
        self.classes_ = np.array(classes)
        self._said = said

    def predict_proba(self, frame: pd.DataFrame) -> Any:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said


@pytest.mark.parametrize(
    ("classes", "said", "status"),
    [
        ([0, 1], [[0.5, 0.5]], 500),
        ([0, 1], [[0.5, 1.5], [0.5, 0.5]], 500),
        ([0, 1], [[0.5, np.nan], [0.5, 0.5]], 500),
        ([0, 1], ValueError("secret"), 500),
        (list(range(101)), np.zeros((2, 101)), 404),
        (["x" * 201, "y"], SHARES, 404),
    ],
)
def test_what_is_no_probability_of_a_class_is_not_logged(
    classes: Any, said: Any, status: int
) -> None:
    outcome = chances_outcome(Says(classes, said), pd.DataFrame({"x": [1.0, 2.0]}))
    assert outcome.status == status
    assert b"secret" not in outcome.body
    assert read_chances(outcome) is None


def test_classes_are_named_as_labels_in_a_file_are_read() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    for classes, names in (
        ([0, 1], ("0", "1")),
        ([0.0, 1.0], ("0", "1")),
        ([False, True], ("0", "1")),
        (["a", "b"], ("a", "b")),
    ):
        told = read_chances(chances_outcome(Says(classes, SHARES), frame))
        assert told is not None
        assert told.classes == names
        assert told.values.tolist() == SHARES.tolist()


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b'{"classes": ["a"]}', b'{"classes": ["a", "a"], "probabilities": [[0, 1]]}',
        b'{"classes": [1], "probabilities": [[1]]}', b'{"classes": 5, "probabilities": [[1]]}',
        b'{"classes": [], "probabilities": [[]]}', b'{"classes": ["a"], "probabilities": [[2]]}',
    ],
)  # fmt: skip
def test_a_process_of_a_model_is_not_believed_what_does_not_fit_together(body: bytes) -> None:
    assert read_chances(Outcome(200, body, n_rows=1)) is None
