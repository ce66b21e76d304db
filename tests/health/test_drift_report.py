"""What a drift check of a table decides, says and refuses."""

import json
import os
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.health import models, report
from ml_orchestrator.health.drift import choice
from ml_orchestrator.health.models import CategoryChange, ColumnDrift, NumericChange
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.numerics.multiple_testing import benjamini_hochberg

Table = dict[str, NDArray[Any]]


def _objects(*values: object, times: int = 1) -> NDArray[Any]:
    return np.array(list(values) * times, dtype=object)


@pytest.fixture
def reference() -> Table:
    rng = np.random.default_rng(0)
    return {
        "age": rng.normal(40, 10, 800),
        "height": rng.normal(170, 8, 800),
        "n_children": rng.integers(0, 4, 800),
        "city": rng.choice(_objects("Rome", "Oslo", "Lima"), 800),
    }


@pytest.fixture
def current() -> Table:
    rng = np.random.default_rng(1)
    return {
        "age": rng.normal(48, 10, 600),
        "height": rng.normal(170, 8, 600),
        "n_children": rng.integers(0, 4, 600),
        "city": rng.choice(_objects("Rome", "Oslo", "Lima", "Pune"), 600),
    }


def _by_name(drifts: tuple[ColumnDrift, ...]) -> dict[str, ColumnDrift]:
    return {drift.column: drift for drift in drifts}


def test_the_report_says_which_columns_drifted_how_and_whether_the_data_did(
    reference: Table, current: Table
) -> None:
    report = check_drift(reference, current)
    assert set(report.drifted_columns) == {"age", "city"}
    assert (report.n_columns, report.n_drifted, report.share_drifted) == (4, 2, 0.5)
    assert report.is_drifted
    assert [drift.is_drifted for drift in report.columns] == [True, True, False, False]
    assert report.summary.startswith(
        "The data drifted: 2 of 4 columns drifted (50%, threshold 50%)"
    )


def test_a_higher_share_threshold_leaves_the_columns_named_but_the_data_undrifted(
    reference: Table, current: Table
) -> None:
    report = check_drift(reference, current, share_threshold=0.6)
    assert not report.is_drifted
    assert report.is_any_column_drifted
    assert set(report.drifted_columns) == {"age", "city"}


def test_a_numeric_column_tells_its_direction_and_a_categorical_one_its_largest_changes() -> None:
    report = check_drift(
        {"x": np.arange(100.0), "c": _objects("a", "a", "b", "c", times=10)},
        {"x": np.arange(100.0) + 50, "c": _objects("a", "d", "d", "c", times=10)},
    )
    drifts = _by_name(report.columns)
    assert drifts["x"].numeric_change == NumericChange(
        reference_mean=49.5, current_mean=99.5, reference_median=49.5, current_median=99.5
    )
    assert drifts["c"].category_changes == (
        CategoryChange(category="d", reference_share=0.0, current_share=0.5),
        CategoryChange(category="a", reference_share=0.5, current_share=0.25),
        CategoryChange(category="b", reference_share=0.25, current_share=0.0),
        CategoryChange(category="c", reference_share=0.25, current_share=0.25),
    )
    assert "mean 49.5 to 99.5" in drifts["x"].summary
    assert "'d' 0.0% to 50.0%" in drifts["c"].summary


def test_p_values_are_corrected_together_and_near_distances_count_as_chance(
    reference: Table, current: Table
) -> None:
    chosen = {"age": "ks", "height": "ks", "n_children": "chi_square", "city": "psi"}
    drifts = _by_name(check_drift(reference, current, tests=chosen).columns)
    tested = [drifts[name] for name in chosen]
    raw = [drift.p_value for drift in tested if drift.p_value is not None]
    assert [drift.p_value_adjusted for drift in tested] == benjamini_hochberg(raw).tolist()
    near = check_drift(reference, reference, tests=chosen)
    assert (_by_name(near.columns)["city"].p_value, drifts["city"].threshold) == (None, 0.1)
    assert drifts["age"].threshold == 0.05


def test_the_limit_itself_counts_as_drift() -> None:
    # Merge orders of 3 and 3 values that separate them wholly: 2 of 20, p = 0.1.
    tables = {"x": np.array([1.0, 2, 3])}, {"x": np.array([4.0, 5, 6])}
    p_value = check_drift(*tables, tests="ks").columns[0].p_value
    assert p_value == pytest.approx(0.1)
    assert check_drift(*tables, tests="ks", alpha=p_value or 0).is_drifted
    assert not check_drift(*tables, tests="ks", alpha=0.099).is_drifted


@pytest.mark.parametrize(
    ("n", "values", "expected"),
    [
        (1_000, "many", "ks"),
        (1_001, "many", "wasserstein"),
        (1_000, "few", "chi_square"),
        (1_001, "few", "jensen_shannon"),
    ],
)
def test_the_test_follows_the_size_of_the_reference_and_the_number_of_values(
    n: int, values: str, expected: str
) -> None:
    column = np.arange(n) % (5 if values == "few" else 6)
    assert check_drift({"x": column}, {"x": column[:100]}).columns[0].test == expected


def test_a_column_left_out_of_the_mapping_is_chosen_for(reference: Table, current: Table) -> None:
    report = check_drift(reference, current, tests={"age": "psi"})
    assert {drift.column: drift.test for drift in report.columns} == {
        "age": "psi",
        "height": "ks",
        "n_children": "chi_square",
        "city": "chi_square",
    }


def test_columns_given_but_not_compared_are_listed(reference: Table, current: Table) -> None:
    extra = {**current, "prediction": np.ones(600)}
    assert check_drift(reference, extra).unchecked_columns == ("prediction",)
    assert check_drift(reference, current, columns=["age"]).unchecked_columns == (
        "height",
        "n_children",
        "city",
    )


def test_infinities_count_as_missing_and_a_rise_of_missing_values_is_said() -> None:
    column = np.arange(100.0)
    holed = column.copy()
    holed[:20], holed[20:40] = np.inf, np.nan
    drift = check_drift({"x": column}, {"x": holed}).columns[0]
    assert (drift.n_current, drift.missing_share_current) == (60, 0.4)
    assert "missing values 0.0% to 40.0%" in drift.summary


def test_rare_categories_carry_a_note_and_common_ones_do_not() -> None:
    common = _objects("a", "b", times=40)
    rare = np.append(common, _objects("c"))
    assert "below 5" in (check_drift({"x": common}, {"x": rare}).columns[0].note or "")
    assert check_drift({"x": common}, {"x": common}).columns[0].note is None


def test_a_new_category_is_certain_drift_from_a_known_reference_and_valid_json() -> None:
    tables = {"x": _objects("a", "b", times=40)}, {"x": _objects("a", "b", "c", times=40)}
    report = check_drift(*tables, tests="chi_square_known_reference")
    assert (report.columns[0].statistic, report.columns[0].p_value) == (None, 0.0)
    assert json.loads(report.model_dump_json())["columns"][0]["statistic"] is None


def test_columns_of_large_tables_are_compared_at_once_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    before = {name: rng.normal(size=60_000) for name in "abcd"}
    after = {name: rng.normal(i / 50, 1, 40_000) for i, name in enumerate("abcd")}
    after["d"] = _objects("x")
    inner, meeting = choice.measure, threading.Barrier(2)

    def met(*given: Any) -> Any:
        meeting.wait(timeout=60)  # breaks where columns come one after another
        return inner(*given)

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(report, "measure", met)
    at_once = check_drift(before, after, columns=["a", "b"])
    with pytest.raises(InvalidInputError, match="'d' is numeric in the reference and categorical"):
        check_drift(before, after, columns=["a", "b", "d"])
    monkeypatch.setattr(report, "measure", inner)
    monkeypatch.setattr(report, "LARGE", 10**9)
    assert at_once == check_drift(before, after, columns=["a", "b"])


def test_constants_drift_only_when_they_differ() -> None:
    ones = np.ones(200)
    assert not check_drift({"x": ones}, {"x": ones}).is_drifted
    assert check_drift({"x": ones}, {"x": ones + 1}).is_drifted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["age", "weight"]}, "column 'weight' (did you mean 'height'?); it has 'age'"),
        ({"columns": ["agee"]}, "has no column 'agee' (did you mean 'age'?); it has 'age'"),
        ({"columns": []}, "No columns to compare"),
        ({"tests": {"weight": "ks"}}, "A test was named for 'weight', which is not compared"),
        ({"tests": "ks"}, "'city' is categorical with 4 distinct values. Tests that fit: chi_squa"),
        ({"tests": {"age": "chi_square"}}, "takes categorical columns; 'age' is numeric"),
        ({"alpha": 0.0}, "alpha must lie between 0 and 1; found 0.0"),
        ({"alpha": float("nan")}, "alpha must lie between 0 and 1; found nan"),
        ({"share_threshold": 1.5}, "share_threshold must be above 0 and at most 1; found 1.5"),
        ({"correction": "bonferroni"}, "known: benjamini_hochberg, holm, none"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_with_what_would_work(
    reference: Table, current: Table, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        check_drift(reference, current, **options)
    assert message in str(refusal.value)


def test_an_unknown_test_lists_the_known_ones(reference: Table, current: Table) -> None:
    said = r"No drift test named 'kstest' \(did you mean 'g_test'\?\); known: anderson_darling, "
    with pytest.raises(NotFoundError, match=said):
        check_drift(reference, current, tests="kstest")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (None, "current sample has no column 'age'"),
        (np.full(9, np.nan), "Column 'age' of the current sample has no value to compare"),
        (_objects("old", "young"), "'age' is numeric in the reference and categorical in the"),
        (np.ones((3, 2, 2)), "Column 'age' of the current sample must be one-dimensional"),
        (np.ones((3, 2)), "'age' is numeric in the reference and vectors in the current"),
        (_objects(["a"], None), "Column 'age' of the current sample holds a list"),
    ],
)
def test_a_column_that_cannot_be_compared_is_refused_by_name(
    reference: Table, current: Table, column: NDArray[Any] | None, message: str
) -> None:
    del current["age"]
    if column is not None:
        current["age"] = column
    with pytest.raises(InvalidInputError, match=message):
        check_drift(reference, current)


@pytest.mark.parametrize("name", models.__all__)
def test_every_field_of_a_record_is_described(name: str) -> None:
    record = getattr(models, name)
    for field, info in getattr(record, "model_fields", {}).items():
        assert info.description, f"{name}.{field}"
