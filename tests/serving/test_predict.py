import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.predict import predict
from ml_orchestrator.serving.signature import Column, to_frame

COLUMNS = (
    Column("x", "double", is_required=True),
    Column("n", "long", is_required=False),
    Column("city", "string", is_required=False),
    Column("flag", "boolean", is_required=False),
    Column("when", "datetime", is_required=False),
)
ROW: dict[str, Any] = {"x": 1.5, "n": 2, "city": "Ulm", "flag": True, "when": "2026-01-31"}


def test_rows_become_a_frame_in_the_models_order() -> None:
    frame = to_frame([dict(reversed(ROW.items())), {**ROW, "x": 3}], COLUMNS)
    assert list(frame.columns) == ["x", "n", "city", "flag", "when"]
    assert frame["x"].tolist() == [1.5, 3.0]
    assert [str(t) for t in frame.dtypes] == [
        "float64", "int64", "object", "bool", "datetime64[us]",
    ]  # fmt: skip


def test_missing_values_stay_missing() -> None:
    empty = {column.name: None for column in COLUMNS}
    frame = to_frame([{**empty, "x": 1.0}, ROW], COLUMNS)
    assert frame.iloc[0].isna().tolist() == [False, True, True, True, True]
    assert frame["n"].tolist()[1] == 2.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "y": 1}, r"Row 0 has columns the model does not know: y\. The model takes: city"),
        ({**{k: v for k, v in ROW.items() if k != "x"}}, "Row 0 has no value for x"),
        ({}, "Row 0 has no value for city"),
        ({**ROW, "x": None}, "Row 0 has no value for x"),
        ({**ROW, "x": math.nan}, "column 'x': nan is not a finite number"),
        ({**ROW, "x": math.inf}, "column 'x': inf is not a finite number"),
        ({**ROW, "x": "1.5"}, "column 'x': '1.5' is not a finite number"),
        ({**ROW, "x": True}, "column 'x': True is not a finite number"),
        ({**ROW, "x": 10**400}, "column 'x': a number beyond 64 bits"),
        ({**ROW, "x": [1]}, "column 'x'"),
        ({**ROW, "n": 1.5}, "column 'n': 1.5 is not a whole number"),
        ({**ROW, "n": 1e300}, "column 'n'"),
        ({**ROW, "n": 2**63}, "column 'n'"),
        ({**ROW, "city": 5}, "column 'city': 5 is not text"),
        ({**ROW, "city": "x" * 10_001}, "column 'city'"),
        ({**ROW, "flag": 1}, "column 'flag': 1 is not true or false"),
        ({**ROW, "when": "soon"}, "column 'when'"),
        ({**ROW, "when": "2026-01-01T00:00:00+01:00"}, "without a zone"),
    ],
)
def test_rows_that_do_not_fit_are_named(row: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        to_frame([row], COLUMNS)


@pytest.mark.parametrize("n", [0, 10_001])
def test_the_number_of_rows_is_bounded(n: int) -> None:
    with pytest.raises(InvalidInputError, match=f"not {n}"):
        to_frame([ROW] * n, COLUMNS)


def test_classes_come_with_probabilities_that_sum_to_one() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=80)})
    estimator = LogisticRegression().fit(frame, np.where(frame["x"] > 0, "yes", "no"))
    answers = predict(LoadedModel(estimator, COLUMNS[:1]), [{"x": -2.0}, {"x": 2.0}])
    assert answers.predictions == ("no", "yes")
    assert answers.probabilities is not None
    assert [sorted(p) for p in answers.probabilities] == [["no", "yes"]] * 2
    assert all(sum(p.values()) == pytest.approx(1, abs=1e-12) for p in answers.probabilities)


def test_a_regression_has_no_probabilities() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0]})
    estimator = LinearRegression().fit(frame, [1.0, 3.0])
    answers = predict(LoadedModel(estimator, COLUMNS[:1]), [{"x": 2.0}])
    assert list(answers.predictions) == pytest.approx([5.0])
    assert answers.probabilities is None


def test_an_answer_that_is_not_finite_is_an_error() -> None:
    estimator = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [1.0, 3.0])
    estimator.coef_ = np.array([math.inf])
    with pytest.raises(UnavailableError, match="not finite"):
        predict(LoadedModel(estimator, COLUMNS[:1]), [{"x": 2.0}])
