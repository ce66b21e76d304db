"""Saved pipelines predict as fitted ones do, on rows as they come."""

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_array_equal
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.dates import DateParts
from ml_orchestrator.training.holdout import fit
from ml_orchestrator.training.models import Task, TrainingSpec
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.table import prepare_table
from ml_orchestrator.training.trainers import TRAINERS, Problem
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES, LIBRARY_TYPES

RAW_ROWS: list[dict[str, object]] = [
    {"n": 0.5, "i": 3, "c": "red", "b": True, "t": "2024-03-05T06:00:00"},
    {"n": None, "i": None, "c": None, "b": None, "t": None},
    {"n": float("nan"), "i": 2, "c": "never seen", "b": False, "t": "2031-12-31T00:00:00Z"},
    {"n": 1, "i": 2.5, "c": "", "b": True, "t": "2019-02-28T23:59:59+05:00"},
]
PROBLEMS: dict[Task, Problem] = {
    "classification": Problem("classification", n_classes=2, is_imbalanced=True),
    "regression": Problem("regression"),
}
PAIRS = [
    (name, task) for name in TRAINERS for task in PROBLEMS if TRAINERS[name].fits(PROBLEMS[task])
]
CLASSIFIERS = [name for name, task in PAIRS if task == "classification"]


class Middle:
    """A search space that answers with the middle of each range."""

    def __init__(self) -> None:
        self.asked: dict[str, tuple[float, float]] = {}
        self.chosen: dict[str, Sequence[str]] = {}

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.asked[name] = (low, high)
        return float(np.sqrt(low * high)) if log else (low + high) / 2

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return round(self.real(name, low, high, log=log))

    def choice(self, name: str, options: Sequence[str]) -> str:
        self.chosen[name] = options
        return options[-1]


def fitted(
    trainer: str, task: Task, params: Params | None = None, columns: str = "nicbt"
) -> object:
    target = "y" if task == "classification" else "i"
    frame = mixed_table().select([*(c for c in columns if c != target), target])
    table = prepare_table(TrainingSpec(source="t.csv", target=target, task=task), dataset_of(frame))
    entry = TRAINERS[trainer]
    estimator = entry.build(PROBLEMS[task], params or entry.first_params, seed=0, n_jobs=None)
    rows = np.arange(len(table.codes))
    return fit(build_pipeline(table.kinds, entry.needs, estimator), table, rows)


@pytest.mark.parametrize(("trainer", "task"), PAIRS)
def test_a_saved_pipeline_predicts_alike_on_raw_rows(trainer: str, task: Task) -> None:
    pipeline = fitted(trainer, task)

    saved = skops.io.dumps(pipeline)
    loaded = skops.io.loads(saved, trusted=list(EXTRA_TRUSTED_TYPES))

    assert set(skops.io.get_untrusted_types(data=saved)) <= set(EXTRA_TRUSTED_TYPES)
    batches = [RAW_ROWS, *([row] for row in RAW_ROWS), list(reversed(RAW_ROWS))]
    for rows in batches:
        frame = pd.DataFrame(rows)
        assert_array_equal(loaded.predict(frame), pipeline.predict(frame))  # type: ignore[attr-defined]
        if task == "classification":
            assert_array_equal(loaded.predict_proba(frame), pipeline.predict_proba(frame))  # type: ignore[attr-defined]


@pytest.mark.parametrize("trainer", [name for name in CLASSIFIERS if name != "torch_net"])
def test_without_dates_the_file_needs_no_class_of_ours(trainer: str) -> None:
    saved = skops.io.dumps(fitted(trainer, "classification", columns="nicb"))

    assert set(skops.io.get_untrusted_types(data=saved)) <= set(LIBRARY_TYPES)


@pytest.mark.parametrize("trainer", CLASSIFIERS)
def test_a_row_is_predicted_alike_alone_and_among_others(trainer: str) -> None:
    pipeline = fitted(trainer, "classification")

    together = pipeline.predict_proba(pd.DataFrame(RAW_ROWS))  # type: ignore[attr-defined]
    alone = [pipeline.predict_proba(pd.DataFrame([row]))[0] for row in RAW_ROWS]  # type: ignore[attr-defined]

    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize(("trainer", "task"), PAIRS)
@pytest.mark.parametrize("value", [1e308, -1e308])
def test_a_number_beyond_32_bits_is_answered(trainer: str, task: Task, value: float) -> None:
    pipeline = fitted(trainer, task)
    frame = pd.DataFrame([{**row, "n": value} for row in RAW_ROWS])

    ask = pipeline.predict_proba if task == "classification" else pipeline.predict  # type: ignore[attr-defined]

    assert np.isfinite(ask(frame)).all()


@pytest.mark.parametrize(("trainer", "task"), PAIRS)
def test_a_number_beyond_32_bits_is_learnt_from(trainer: str, task: Task) -> None:
    target = "y" if task == "classification" else "i"
    frame = mixed_table(150).select("n", "c", "b", *sorted({"i", target}))
    frame[6, "n"] = 1e300
    table = prepare_table(TrainingSpec(source="t.csv", target=target, task=task), dataset_of(frame))
    entry = TRAINERS[trainer]
    estimator = entry.build(PROBLEMS[task], entry.first_params, seed=0, n_jobs=None)

    model = fit(build_pipeline(table.kinds, entry.needs, estimator), table, np.arange(150))

    assert len(model.predict(table.features)) == 150
    (said,) = [each for each in table.warnings if "beyond" in each]
    assert "Column 'n' has numbers beyond 3.4e+38 (1, first 1e+300 in row 7)" in said


def test_column_order_and_further_columns_do_not_matter() -> None:
    pipeline = fitted("forest", "classification")
    frame = pd.DataFrame(RAW_ROWS)

    shuffled = frame[list("tbcin")].assign(further="x")

    assert_array_equal(pipeline.predict(shuffled), pipeline.predict(frame))  # type: ignore[attr-defined]


@pytest.mark.parametrize("trainer", CLASSIFIERS)
def test_the_columns_that_matter_change_the_prediction(trainer: str) -> None:
    pipeline = fitted(trainer, "classification")
    low, high = [
        {"n": n, "i": 3, "c": c, "b": b, "t": "2024-03-05T06:00:00"}
        for n, c, b in [(-2.0, "blue", False), (2.0, "red", True)]
    ]

    chances = pipeline.predict_proba(pd.DataFrame([low, high]))[:, 1]  # type: ignore[attr-defined]

    assert chances[0] < 0.2
    assert chances[1] > 0.8


@pytest.mark.parametrize(("trainer", "task"), PAIRS)
def test_every_trainer_keeps_the_common_promises(trainer: str, task: Task) -> None:
    entry, space = TRAINERS[trainer], Middle()
    params = entry.suggest(space, PROBLEMS[task])

    assert set(params) == {*space.asked, *space.chosen} <= set(entry.first_params)
    for name, (low, high) in space.asked.items():
        assert low <= float(entry.first_params[name]) <= high
    for name, options in space.chosen.items():
        assert entry.first_params[name] in options
    frame = pd.DataFrame(RAW_ROWS)
    first, second = (fitted(trainer, task, params).predict(frame) for _ in range(2))  # type: ignore[attr-defined]
    assert_array_equal(first, second)


def test_dates_become_their_parts_whatever_form_they_come_in() -> None:
    moment = datetime.datetime(2024, 2, 29, 18, 30)
    forms = [moment, pd.Timestamp(moment), "2024-02-29T18:30:00", "2024-02-29T19:30:00+01:00"]
    frame = pd.DataFrame({"t": pd.Series(forms, dtype=object)})

    parts = DateParts().fit(frame).transform(frame)

    # 8,825 days from 1 January 2000 to 29 February 2024, a Thursday.
    expected = [2024.0, 2.0, 29.0, 3.0, 18.0, 8_825 + 18.5 / 24]
    np.testing.assert_allclose(parts, [expected] * 4)


def test_a_missing_date_becomes_missing_parts() -> None:
    frame = pd.DataFrame({"t": pd.Series([None, float("nan"), pd.NaT], dtype=object)})

    parts = DateParts().fit(frame).transform(frame)

    assert parts.shape == (3, 6)
    assert np.isnan(parts).all()


def test_what_is_no_date_is_refused_with_its_column() -> None:
    frame = pd.DataFrame({"t": ["2024-01-01", "soon"]})

    with pytest.raises(InvalidInputError, match="Column 't': 'soon' is not a date"):
        DateParts().fit(frame).transform(frame)


def test_names_of_date_parts_carry_their_column() -> None:
    parts = DateParts().fit(pd.DataFrame({"t": ["2024-01-01"]}))

    assert list(parts.get_feature_names_out())[:2] == ["t_year", "t_month"]
