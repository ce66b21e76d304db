"""Columns that cannot be compared any more are told apart, counted and said."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.baseline import prepare_baseline
from ml_orchestrator.health.impact import next_steps
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.schema_changes import awaits_labels, split_by_schema

NUMBERS, NOTHING = np.arange(50.0), np.full(50, np.nan)
TEXT = np.array(["7", None, "n/k", "a"] * 10, dtype=object)
NO_TEXT = np.full(50, None, dtype=object)
PAIRS = np.ones((50, 2))

CASES = {
    "the same": (NUMBERS, NUMBERS[:9], None),
    "whole numbers are numbers": (NUMBERS, NUMBERS.astype(np.int64), None),
    "gone": (NUMBERS, None, "Column 'x' is gone."),
    "emptied": (NUMBERS, NOTHING, "Column 'x' has no value any more."),
    "emptied of text": (TEXT, NO_TEXT, "Column 'x' has no value any more."),
    "filled": (NOTHING, TEXT, "Column 'x' has values now, and none in the reference."),
    "retyped": (NUMBERS, TEXT, "held numbers and now holds categories or text such as 'n/k'; "),
    "retyped to numbers": (TEXT, NUMBERS, "held categories or text and now holds numbers; "),
    "other vectors": (PAIRS, np.ones((9, 3)), "held vectors of 2 numbers and now holds vectors "),
    "vectors with a hole each": (PAIRS, np.full((9, 2), [1.0, np.nan]), "has no value any more"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("is_prepared", [False, True])
def test_what_became_of_a_column_is_said(case: str, is_prepared: bool) -> None:
    before, now, said = CASES[case]
    reference: dict[str, Any] = {"x": before, "y": np.arange(len(before))}
    if is_prepared and case != "filled":  # a baseline leaves an empty column out
        reference = dict(prepare_baseline(reference, source="test").samples)
    current = {} if now is None else {"x": now}
    comparable, changes = split_by_schema(reference, current, ["x"])

    assert comparable == (["x"] if said is None else [])
    assert [change.change for change in changes] == ([] if said is None else [_word(case)])
    assert said is None or said in changes[0].summary


def _word(case: str) -> str:
    words = ("gone", "emptied", "filled")
    return next(
        (word for word in words if word in case), "emptied" if "hole" in case else "retyped"
    )


def test_what_is_empty_on_both_sides_is_neither() -> None:
    assert split_by_schema({"x": NOTHING}, {"x": NO_TEXT}, ["x"]) == ([], ())


def table(**columns: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return columns


def test_each_counts_as_drifted_and_is_first_of_what_to_do() -> None:
    reference = table(steady=NUMBERS, lost=NUMBERS, odd=NUMBERS)
    current = table(steady=NUMBERS, odd=TEXT)
    names, changes = split_by_schema(reference, current, reference)
    report = check_drift(reference, current, columns=names, schema_changes=changes)

    assert report.drifted_columns == ("lost", "odd")
    assert (report.n_columns, report.share_drifted, report.is_drifted) == (3, 2 / 3, True)
    assert [column.column for column in report.columns] == ["steady"]
    assert report.unchecked_columns == ()
    assert "2 of 3 columns drifted" in report.summary
    assert "Column 'lost' is gone. Column 'odd' held numbers" in report.summary
    steps = next_steps(report)
    assert steps[0] == "Mend the feed, or its schema: 'lost', 'odd'."
    assert not any("cause of the change" in step for step in steps)


def test_many_are_counted_and_few_named() -> None:
    reference = table(steady=NUMBERS, **{f"c{i}": NUMBERS for i in range(5)})
    names, changes = split_by_schema(reference, table(steady=NUMBERS), reference)
    report = check_drift(reference, table(steady=NUMBERS), columns=names, schema_changes=changes)

    assert report.summary.endswith("Column 'c2' is gone. 2 more cannot be compared.")


def test_where_none_is_left_there_is_nothing_to_decide() -> None:
    reference, current = table(lost=NUMBERS), table(other=NUMBERS)
    names, changes = split_by_schema(reference, current, reference)
    with pytest.raises(InvalidInputError, match=r"No column is left to compare\. Column 'lost'"):
        check_drift(reference, current, columns=names, schema_changes=changes)


def test_a_column_that_the_reference_never_had_is_refused() -> None:
    names, _ = split_by_schema(table(x=NUMBERS), table(x=NUMBERS), ["x", "typo"])
    with pytest.raises(InvalidInputError, match="reference sample has no column 'typo'"):
        check_drift(table(x=NUMBERS), table(x=NUMBERS), columns=names)


def test_a_target_that_is_gone_or_empty_awaits_its_labels() -> None:
    reference = table(a=NUMBERS, b=NUMBERS, c=NUMBERS, d=NUMBERS)
    _, changes = split_by_schema(reference, table(b=NOTHING, c=TEXT, d=NUMBERS), reference)

    waiting = {c.column: [awaits_labels(c, target) for target in ("a", "b", "c")] for c in changes}
    assert waiting == {
        "a": [True, False, False],
        "b": [False, True, False],
        "c": [False, False, False],  # it holds something else
    }
