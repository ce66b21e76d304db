"""One model in a thread: batches, failures and what it may answer."""

import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_orchestrator.serving.engine import Outcome, Request, ask
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.threaded import Answering, ThreadEngine

LIMIT_S = 30.0
X = (Column("x", "double", is_required=True),)


class Model:
    """Doubles, and remembers how many rows it was given at once."""

    def __init__(self, say: Callable[[pd.DataFrame], Any] | None = None) -> None:
        self._say = say or (lambda frame: frame["x"].to_numpy() * 2)
        self.sizes: list[int] = []

    def predict(self, frame: pd.DataFrame) -> Any:
        self.sizes.append(len(frame))
        return self._say(frame)


def question(*values: float) -> Request:
    return Request("application/json", json.dumps({"inputs": {"x": values}}).encode())


def predictions(outcome: Outcome) -> Any:
    return json.loads(outcome.body).get("predictions")


def test_what_waits_is_answered_in_one_go_and_each_gets_its_own() -> None:
    model = Model()
    asked = [question(1.0), question(2.0, 3.0), Request("application/json", b"{"), question(4.0)]
    answers = Answering(LoadedModel(model, X)).answer(asked)
    assert model.sizes == [4]
    assert [predictions(a) for a in answers] == [[2.0], [4.0, 6.0], None, [8.0]]
    assert [(a.status, a.n_rows) for a in answers] == [(200, 1), (200, 2), (400, 0), (200, 1)]


def test_only_the_request_that_makes_the_model_fail_hears_of_it() -> None:
    def say(frame: pd.DataFrame) -> Any:
        if (frame["x"] == 13).any():
            raise KeyError("secret 13")
        return frame["x"].to_numpy()

    asked = [question(1.0), question(13.0), question(2.0)]
    answers = Answering(LoadedModel(Model(say), X)).answer(asked)
    assert [a.status for a in answers] == [200, 500, 200]
    assert json.loads(answers[1].body) == {
        "error_code": "INTERNAL_ERROR",
        "message": "The model could not answer (KeyError).",
    }


def test_rows_of_different_types_are_not_put_together() -> None:
    columns = (Column("n", "long", is_required=False),)
    seen: list[str] = []

    def say(frame: pd.DataFrame) -> Any:
        seen.append(str(frame["n"].dtype))
        return frame["n"].to_numpy()

    asked = [
        Request("application/json", json.dumps({"inputs": {"n": [value]}}).encode())
        for value in (2**60 + 1, 7)
    ]
    asked.append(Request("application/json", b'{"inputs": {"n": [3, null]}}'))
    answers = Answering(LoadedModel(Model(say), columns)).answer(asked)
    assert seen == ["int64", "float64"]
    assert [predictions(a) for a in answers[:2]] == [[2**60 + 1], [7]]
    assert answers[2].status == 500  # a NaN came out


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([float("nan")], "not finite"),
        (np.array([np.inf]), "not finite"),
        ([[float("-inf"), 1.0]], "not finite"),
        ([1.0, 2.0], "one prediction per row"),
        ([], "one prediction per row"),
        (1.0, "one prediction per row"),
        (None, "one prediction per row"),
        pytest.param(np.array([object()]), "not a number or text", id="an object"),
    ],
    ids=str,
)
def test_an_answer_that_is_none_is_the_models_error(said: Any, message: str) -> None:
    (outcome,) = Answering(LoadedModel(Model(lambda _: said), X)).answer([question(1.0)])
    assert outcome.status == 500
    assert message in json.loads(outcome.body)["message"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (np.array(["no"]), ["no"]),
        (np.array([True]), [True]),
        (np.array([3]), [3]),
        (np.array([[0.1, 0.2]]), [[0.1, 0.2]]),
    ],
    ids=str,
)
def test_answers_of_every_type_come_as_json(said: Any, expected: Any) -> None:
    (outcome,) = Answering(LoadedModel(Model(lambda _: said), X)).answer([question(1.0)])
    assert predictions(outcome) == expected


def test_an_answer_of_another_kind_than_declared_is_the_models_error() -> None:
    def say(frame: pd.DataFrame) -> Any:
        return np.array([1.0 if x > 0 else "none" for x in frame["x"]], dtype=object)

    asked = [question(1.0), question(-1.0), question(2.0)]
    answers = Answering(LoadedModel(Model(say), X, "number")).answer(asked)
    assert [a.status for a in answers] == [200, 500, 200]  # each by its own answer
    assert "answered with text, and its signature declares number" in answers[1].body.decode()


def test_answers_of_several_outputs_are_no_single_predictions_to_compare() -> None:
    (outcome,) = Answering(LoadedModel(Model(lambda _: [[1, 2]]), X)).answer([question(1.0)])
    assert (outcome.status, outcome.predictions, outcome.n_rows) == (200, (), 1)


def test_an_engine_that_is_closed_has_answered_everything() -> None:
    model = Model()
    answers: list[Outcome] = []
    engine = ThreadEngine(LoadedModel(model, X), name="test")
    for value in range(50):
        engine.submit(question(float(value)), answers.append)
    engine.close()
    assert [predictions(a) for a in answers] == [[2.0 * value] for value in range(50)]


def test_requests_that_arrive_while_the_model_is_busy_share_the_next_turn() -> None:
    may_go, has_begun = threading.Event(), threading.Event()

    def say(frame: pd.DataFrame) -> Any:
        has_begun.set()
        assert may_go.wait(LIMIT_S)
        return frame["x"].to_numpy()

    model = Model(say)
    engine = ThreadEngine(LoadedModel(model, X), name="test", max_batch=3)
    answers: list[Outcome] = []
    engine.submit(question(0.0), answers.append)
    assert has_begun.wait(LIMIT_S)
    for value in (1.0, 2.0, 3.0, 4.0):
        engine.submit(question(value), answers.append)
    may_go.set()
    assert predictions(ask(engine, question(5.0), timeout_s=LIMIT_S)) == [5.0]
    engine.close()
    assert model.sizes[:2] == [1, 3]
    assert [predictions(a) for a in answers] == [[0.0], [1.0], [2.0], [3.0], [4.0]]


def test_a_model_that_hangs_does_not_keep_its_server_from_leaving(
    caplog: pytest.LogCaptureFixture,
) -> None:
    may_go, has_begun = threading.Event(), threading.Event()

    def say(frame: pd.DataFrame) -> Any:
        has_begun.set()
        assert may_go.wait(LIMIT_S)
        return frame["x"].to_numpy()

    answered = threading.Event()
    engine = ThreadEngine(LoadedModel(Model(say), X), name="slow", close_s=0.01)
    engine.submit(question(1.0), lambda _: answered.set())
    assert has_begun.wait(LIMIT_S)
    engine.close()
    assert "slow still computes" in caplog.text
    may_go.set()
    assert answered.wait(LIMIT_S)
