"""What cannot be trained on is refused before anything is written."""

from pathlib import Path

import polars as pl
import pytest
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import train
from ml_orchestrator.training.table import prepare_table

FRAME = mixed_table(60)


def replaced(**columns: object) -> pl.DataFrame:
    return FRAME.with_columns(pl.Series(name, values) for name, values in columns.items())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frame", "given", "said"),
    [
        (FRAME, {"target": "Y"}, "No column 'Y' to use as target"),
        (FRAME, {"target": "yy"}, "(did you mean 'y'?)"),
        (FRAME, {"column_types": {"y": "ignore"}}, "'y' is the target, so it cannot be ignored."),
        (FRAME, {"time_column": "absent"}, "to use as time column"),
        (FRAME, {"group_column": "absent"}, "to use as group column"),
        (FRAME, {"trainers": ("forrest",)}, "known: elastic_net, extra_trees, forest"),
        (FRAME, {"metric": "f2"}, "No metric 'f2' for classification with 2 classes; known"),
        (FRAME, {"metric": "rmse"}, "known: accuracy"),
        (FRAME, {"task": "regression"}, "Use task classification"),
        (FRAME, {"target": "c", "time_column": "c"}, "cannot be the target and order"),
        (FRAME, {"time_column": "t", "group_column": "t"}, "name their series"),
        (FRAME, {"time_column": "c"}, "numbers, dates or ISO 8601"),
        (FRAME.head(0), {}, "no rows"),
        (FRAME.head(12), {}, "too few for 5 folds"),
        (FRAME.select("y"), {}, "There is no column beside the target"),
        (replaced(y=["yes"] * 60), {}, "one value only, 'yes'"),
        (replaced(y=["yes"] * 59 + ["no"]), {}, "Class 'no' has 1 rows"),
        (replaced(y=[None] * 60), {}, "The target 'y' has no usable value"),
        (replaced(y=[[1]] * 60), {}, "The target 'y' has no usable value"),
        (replaced(y=[float("inf")] * 60), {}, "No row has a value"),
        (replaced(n=[None] * 60).select("n", "y"), {}, "'n' was left out: it has no values"),
        (
            FRAME.select("y", pl.Series("name", [f"id{i}" for i in range(60)])),
            {},
            "it names each row",
        ),
        (replaced(y=[f"class {i}" for i in range(60)]), {"n_folds": 2}, "too few"),
    ],
)
def test_bad_input_is_refused_with_a_reason_and_nothing_is_written(
    tmp_path: Path, frame: pl.DataFrame, given: dict[str, str], said: str
) -> None:
    spec = TrainingSpec(source="t.csv", **given)

    with pytest.raises(InvalidInputError) as caught:
        train(spec, dataset_of(frame), study_dir=tmp_path / "study", report=lambda *_: None)

    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_squared_is_refused_with_its_row() -> None:
    values = [float(i) for i in range(60)]
    values[8], values[2] = 1e200, None  # type: ignore[call-overload]

    with pytest.raises(InvalidInputError, match=r"'y' are beyond 1e\+150.*1e\+200 in row 9"):
        prepare_table(TrainingSpec(source="t.csv"), dataset_of(replaced(y=values)))


def test_without_a_target_the_columns_are_listed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"No target given .* columns: n, i, c, b, t, y"):
        prepare_table(TrainingSpec(source="t.csv"), dataset_of(FRAME, None))


def test_useless_columns_are_left_out_with_a_warning() -> None:
    frame = FRAME.with_columns(
        empty=pl.lit(None, dtype=pl.Float64), same=pl.lit(3), lists=pl.Series([[1]] * 60)
    )

    table = prepare_table(TrainingSpec(source="t.csv"), dataset_of(frame))

    assert table.kinds.names == ("n", "i", "b", "c", "t")
    assert table.warnings == (
        "Column 'empty' was left out: it has no values.",
        "Column 'same' was left out: it has one value only.",
        "Column 'lists' was left out: List(Int64) cannot be used.",
    )


def test_rows_without_a_target_are_left_out_with_a_warning() -> None:
    frame = replaced(y=[None] * 5 + ["a", "b"] * 27 + ["a"])

    table = prepare_table(TrainingSpec(source="t.csv"), dataset_of(frame))

    assert len(table.codes) == 55
    assert table.warnings == ("5 rows without 'y' are left out of training.",)


@pytest.mark.parametrize(
    ("values", "classes", "labels"),
    [
        ([True, False] * 30, ("False", "True"), [False, True]),
        ([2.0, 1.0] * 30, ("1", "2"), [1, 2]),
        (["b", "a"] * 30, ("a", "b"), ["a", "b"]),
    ],
)
def test_class_labels_keep_their_type(
    values: list[object], classes: tuple[str, ...], labels: list[object]
) -> None:
    table = prepare_table(TrainingSpec(source="t.csv"), dataset_of(replaced(y=values)))

    assert table.classes == classes
    assert sorted(set(table.labels.tolist())) == labels
    assert table.codes[:2].tolist() == [1, 0]


def test_a_column_that_only_numbers_the_rows_is_learnt_from_with_a_warning() -> None:
    dataset = dataset_of(
        FRAME.with_columns(visit_id=pl.Series(range(60)), when=pl.Series(range(60)))
    )

    table = prepare_table(TrainingSpec(source="t.csv", time_column="when"), dataset)

    (said,) = [text for text in table.warnings if "numbers" in text]
    assert said == (
        "'visit_id' only numbers or names the rows; leave it out by "
        'column_types {"visit_id": "ignore"}.'
    )
    assert said in profile_dataset(dataset, None).warnings
    assert "visit_id" in table.kinds.names
