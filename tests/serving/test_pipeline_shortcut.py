"""The shorter way through a pipeline: taken where it is the same, and nowhere else."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from tests.serving.test_invocations import MIXED, NUMBERS, fitted, records, table

from ml_orchestrator.lifecycle.signature import signature_columns
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.predict import predict
from ml_orchestrator.serving.shortcut import MAX_SHORT_ROWS, _short, find_shortcut
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.table import Table, from_columns
from ml_orchestrator.training.blend import BlendedClassifier, BlendedRegressor

FRAME = table(NUMBERS)
LABELS = np.where(FRAME["a"] > 0, "yes", "no")
NUMERIC = [*FRAME.columns]


def columns_of(frame: pd.DataFrame) -> tuple[Column, ...]:
    return tuple(Column(*given) for given in signature_columns(frame))


def read(frame: pd.DataFrame) -> Table:
    rows = records(frame)
    columns = columns_of(frame)
    return from_columns({c.name: [row[c.name] for row in rows] for c in columns}, columns)


PIPELINES: dict[str, tuple[Any, pd.DataFrame]] = {
    "training's, of numbers": (fitted(NUMBERS, FRAME), FRAME),
    "training's, of everything": (fitted(MIXED, table(MIXED)), table(MIXED)),
    "plain": (make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, LABELS), FRAME),
    "a sparse branch among dense ones": (
        make_pipeline(
            make_column_transformer(
                (StandardScaler(), NUMERIC), (OneHotEncoder(handle_unknown="ignore"), ["flag"])
            ),
            LogisticRegression(),
        ).fit(table(MIXED).assign(a=0.5), LABELS),
        table(MIXED).assign(a=0.5),
    ),
    "columns in another order, one dropped": (
        make_pipeline(
            make_column_transformer((StandardScaler(), ["b"]), remainder="drop"),
            RandomForestClassifier(5, random_state=0),
        ).fit(FRAME, LABELS),
        FRAME,
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_it_says_exactly_what_the_pipeline_says(name: str) -> None:
    estimator, frame = PIPELINES[name]
    shortcut = find_shortcut(LoadedModel(estimator, columns_of(frame)), [read(frame.head(2))])
    assert shortcut is not None
    assert shortcut.predict(read(frame)).tolist() == estimator.predict(frame).tolist()


def members(*models: Any, learns: Any) -> list[tuple[str, Any]]:
    made = [make_pipeline(StandardScaler(), model).fit(FRAME, learns) for model in models]
    return [(f"member_{number}", pipeline) for number, pipeline in enumerate(made)]


MEMBERS = members(LogisticRegression(), RandomForestClassifier(5), learns=LABELS)
LINES = members(Ridge(1), Ridge(9), learns=FRAME["a"])
AVERAGES: dict[str, Any] = {
    "bent, with a threshold": BlendedClassifier(MEMBERS, [0.25, 0.75], 1.5, 0.1, 0.6),
    "of numbers": BlendedRegressor(LINES, [0.5, 0.5]),
}


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_takes_the_shorter_way_of_its_members(name: str) -> None:
    average = AVERAGES[name]
    shortcut = find_shortcut(LoadedModel(average, columns_of(FRAME)), [read(FRAME.head(2))])
    assert shortcut is not None
    told, own = shortcut.predict(read(FRAME)), average.predict(FRAME)
    if own.dtype.kind == "f":
        assert told == pytest.approx(own, rel=1e-12)  # sums in another order of the rows
    else:
        assert told.tolist() == own.tolist()


@pytest.mark.parametrize("estimator", [PIPELINES["plain"][0], *AVERAGES.values()])
def test_predictions_of_rows_take_the_shorter_way_and_say_the_same(estimator: Any) -> None:
    class Counted:
        """The shorter way, and how often it is taken."""

        def __init__(self) -> None:
            self.n_asked = 0

        def __getattr__(self, name: str) -> Any:
            self.n_asked += 1
            return getattr(short, name)

    model = LoadedModel(estimator, columns_of(FRAME))
    short = find_shortcut(model, [read(FRAME.head(2))])
    counted = Counted()
    rows = records(FRAME)
    told, own = predict(replace(model, short=counted), rows), predict(model, rows)
    assert counted.n_asked > 0
    for mine, its in zip(told.probabilities or (), own.probabilities or (), strict=True):
        assert mine == pytest.approx(its, rel=1e-12)  # sums in another order of the rows
    if own.probabilities is None:
        assert told.predictions == pytest.approx(own.predictions, rel=1e-12)
    else:
        assert told.predictions == own.predictions
    before = counted.n_asked
    predict(replace(model, short=counted), rows * (MAX_SHORT_ROWS // len(rows) + 1))
    assert counted.n_asked == before, "many rows go the long way"


def test_an_average_with_a_member_that_has_no_shorter_way_has_none() -> None:
    average = BlendedClassifier([*MEMBERS, ("c", OTHERS["a union"])], [0.5, 0.25, 0.25])
    assert find_shortcut(LoadedModel(average, columns_of(FRAME)), [read(FRAME.head(2))]) is None


def make(*steps: Any) -> Any:
    return make_pipeline(*steps, LogisticRegression()).fit(FRAME, LABELS)


OTHERS: dict[str, Any] = {
    "no pipeline": LogisticRegression().fit(FRAME, LABELS),
    "a function of the names": make(FunctionTransformer(lambda frame: frame[["b"]])),
    "a union": make(FeatureUnion([("scaled", StandardScaler())])),
    "columns passed on": make(make_column_transformer(("passthrough", NUMERIC))),
    "weighted columns": make(
        ColumnTransformer([("x", StandardScaler(), NUMERIC)], transformer_weights={"x": 2.0})
    ),
    "sparse columns": make(make_column_transformer((OneHotEncoder(), NUMERIC))),
    "columns by a rule": make(make_column_transformer((StandardScaler(), slice(0, 1)))),
    "frames between steps": make(StandardScaler().set_output(transform="pandas")),
}


@pytest.mark.parametrize("name", OTHERS)
def test_where_it_might_differ_the_pipeline_answers(name: str) -> None:
    model = LoadedModel(OTHERS[name], columns_of(FRAME))
    assert find_shortcut(model, [read(FRAME.head(2))]) is None


def test_a_way_that_differs_on_the_example_is_not_taken() -> None:
    class Odd(LinearRegression):  # type: ignore[misc]
        def predict(self, values: Any) -> Any:
            return super().predict(values) + self.asked

        @property
        def asked(self) -> int:
            self.n_asked = getattr(self, "n_asked", 0) + 1
            return self.n_asked

    estimator = make_pipeline(StandardScaler(), Odd()).fit(FRAME, FRAME["a"])
    model = LoadedModel(estimator, columns_of(FRAME))
    assert find_shortcut(model, [read(FRAME.head(2))]) is None
    assert find_shortcut(model, []) is None


def test_no_frame_is_made_of_the_numbers_of_a_training() -> None:
    pipeline, frame = PIPELINES["training's, of numbers"]
    shortcut: Any = _short(pipeline, columns_of(frame))
    assert [branch.takes_array for branch in shortcut.branches] == [True]
