import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError, UnavailableError
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.output import parse_kind
from ml_orchestrator.serving.predict import predict
from ml_orchestrator.serving.signature import Column, not_taken, to_array, to_frame

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
        ({"x": 1.5, "N": 2}, r"no value for city, flag, n, when and has columns .* not know: N\."),
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


def test_a_fraction_where_the_model_knows_whole_numbers_is_told_what_to_do() -> None:
    with pytest.raises(InvalidInputError) as refused:
        to_frame([{**ROW, "n": 1.5}], COLUMNS)

    assert str(refused.value) == (
        "Row 0, column 'n': 1.5 is not a whole number. The model was trained on whole numbers "
        "alone. Round it, or train again with decimal numbers in this column (a CSV: column_types "
        '{"n": "numeric"}).'
    )


@pytest.mark.parametrize(
    ("column", "value", "end"),
    [
        ("n", "two", "is not a whole number. Use null for a missing value."),
        ("x", "two", "is not a finite number."),
        (
            "x",
            None,
            "None is not a finite number. In training no value was missing here; give one.",
        ),
    ],
)
def test_null_is_advised_only_where_a_value_may_be_missing(
    column: str, value: object, end: str
) -> None:
    (asked,) = (each for each in COLUMNS if each.name == column)

    with pytest.raises(InvalidInputError) as refused:
        to_array([value], asked)

    assert str(refused.value).endswith(end)


def test_columns_that_the_model_does_not_take_are_left_out_and_named() -> None:
    rows = [{**ROW, "visit_id": 7}, {**ROW, "y": None}]

    assert to_frame(rows, COLUMNS).equals(to_frame([ROW, ROW], COLUMNS))
    assert not_taken(rows, COLUMNS) == ("Not used, since the model does not take it: visit_id, y.",)
    assert not_taken([ROW], COLUMNS) == ()
    many = {**ROW, **dict.fromkeys(map(str, range(12)), 0)}
    assert not_taken([many], COLUMNS)[0].endswith(" and 2 more.")


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


class Says:
    """Answers with what it was made with, whatever it is asked."""

    def __init__(self, said: Any, shares: Any = None, classes: Any = None) -> None:
        self._said = said
        if shares is not None:
            self.predict_proba = lambda _: self._or_raise(shares)
            self.classes_ = classes

    def predict(self, _: pd.DataFrame) -> Any:
        return self._or_raise(self._said)

    def _or_raise(self, said: Any) -> Any:
        if isinstance(said, Exception):
            raise said
        return said


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([1.0, 2.0], "one prediction per row"),
        (1.0, "one prediction per row"),
        ([[1.0], [1.0, 2.0]], "one prediction per row"),
        ([[1.0, 2.0]], "several outputs; ask its server"),
        (np.array([math.nan], dtype=object), "not finite"),
        (np.array([None], dtype=object), "not a number or text"),
        (np.array([1j]), "not a number or text"),
        (np.array(["2026-01-01"], dtype="datetime64[s]"), "not a number or text"),
        (["one"], "answered with text, and its signature declares number"),
        ([True], "answered with boolean, and its signature declares number"),
        (RuntimeError("no memory"), r"could not answer \(RuntimeError: no memory\)"),
        (IndexError("7"), r"could not answer \(IndexError: 7\)"),
    ],
    ids=str,
)
def test_what_is_no_answer_of_the_declared_kind_is_an_error(said: Any, message: str) -> None:
    with pytest.raises(UnavailableError, match=message):
        predict(LoadedModel(Says(said), COLUMNS[:1], "number"), [{"x": 1.0}])


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([[0.5, 0.4, 0.1]], "one probability per row and class"),
        ([[0.5, 0.5], [0.5, 0.5]], "one probability per row and class"),
        ([["a", "b"]], "one probability per row and class"),
        ([[1.5, -0.5]], "not from 0 to 1"),
        ([[math.nan, 1.0]], "not from 0 to 1"),
        (AttributeError("loss"), "could not answer"),
    ],
    ids=str,
)
def test_what_are_no_probabilities_is_an_error(shares: Any, message: str) -> None:
    estimator = Says(["no"], shares, np.array(["no", "yes"]))
    with pytest.raises(UnavailableError, match=message):
        predict(LoadedModel(estimator, COLUMNS[:1], "text"), [{"x": 1.0}])


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        (None, None),
        ('[{"type": "long", "required": true}]', "number"),
        ('[{"type": "string"}]', "text"),
        ('[{"type": "boolean"}]', "boolean"),
        ('[{"type": "double"}, {"type": "long"}]', "number"),
        ('[{"type": "double"}, {"type": "string"}]', None),
        ('[{"type": "datetime"}]', None),
        ('[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]', "number"),
        ('[{"type": "tensor", "tensor-spec": {"dtype": "object", "shape": [-1]}}]', "text"),
        ("[]", None),
    ],
)
def test_the_signature_says_of_what_kind_answers_are(outputs: str | None, kind: str | None) -> None:
    assert parse_kind(outputs) == kind


@pytest.mark.parametrize(
    "outputs", ["", "{", "[1]", '[{"name": "x"}]', "7", "[" * 100_000, '[{"type": []}]',
                '[{"type": "tensor", "tensor-spec": {"dtype": "evil"}}]'],
)  # fmt: skip
def test_outputs_that_are_no_list_of_outputs_are_refused(outputs: str) -> None:
    with pytest.raises(IntegrityViolationError, match="declares no list of outputs"):
        parse_kind(outputs)
