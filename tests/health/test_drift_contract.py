"""What every registered drift test promises."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.health.drift.choice import Pair, measure
from ml_orchestrator.health.models import ColumnDrift, ColumnKind
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.numerics.cells import LEAST_VALUES

EVERY_TEST_AND_KIND = [
    (name, kind) for name, test in DRIFT_TESTS.items() for kind in sorted(test.kinds)
]
EVERY = pytest.mark.parametrize(("name", "kind"), EVERY_TEST_AND_KIND)
N = 600


def _column(kind: ColumnKind, seed: int, *, is_shifted: bool = False) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    if kind in ("numeric", "vectors"):
        shape = N if kind == "numeric" else (N, 3)
        return rng.normal(3.0 if is_shifted else 0.0, 1.0, shape)
    shares = [0.1, 0.2, 0.7] if is_shifted else [0.6, 0.3, 0.1]
    return rng.choice(np.array(["red", "green", "blue"], dtype=object), N, p=shares)


def _with_missing(column: NDArray[Any], every: int) -> NDArray[Any]:
    holed = column.copy()
    holed[::every] = np.nan if column.dtype.kind == "f" else None
    return holed


def _check(name: str, reference: NDArray[Any], current: NDArray[Any]) -> ColumnDrift:
    report = check_drift({"shade": reference}, {"shade": current}, tests=name)
    return report.columns[0]


@EVERY
def test_a_sample_does_not_drift_from_itself(name: str, kind: ColumnKind) -> None:
    found = _check(name, _column(kind, 1), _column(kind, 1))
    # The square root in Jensen-Shannon turns rounding of 1e-16 into 1e-8.
    assert found.statistic == pytest.approx(0, abs=1e-7)
    assert found.p_value in (None, 1.0)
    assert not found.is_drifted


@EVERY
def test_a_large_planted_shift_drifts(name: str, kind: ColumnKind) -> None:
    assert _check(name, _column(kind, 1), _column(kind, 2, is_shifted=True)).is_drifted


@EVERY
def test_the_order_of_rows_does_not_matter(name: str, kind: ColumnKind) -> None:
    reference, current = _column(kind, 1), _column(kind, 2)
    shuffle = np.random.default_rng(3).permutation(N)
    shuffled = _check(name, reference[shuffle], current[shuffle[::-1]])
    assert shuffled.statistic == pytest.approx(_check(name, reference, current).statistic)


@EVERY
def test_missing_values_are_left_out_and_counted(name: str, kind: ColumnKind) -> None:
    reference, current = _with_missing(_column(kind, 1), 4), _with_missing(_column(kind, 2), 10)
    found = _check(name, reference, current)
    kept = _check(name, np.delete(reference, np.s_[::4], 0), np.delete(current, np.s_[::10], 0))
    assert (found.statistic, found.p_value) == (kept.statistic, kept.p_value)
    assert (found.missing_share_reference, found.missing_share_current) == (0.25, 0.1)
    assert (found.n_reference, found.n_current) == (450, 540)


@EVERY
@pytest.mark.parametrize("side", ["reference", "current"])
@pytest.mark.parametrize("size", [0, 5])
def test_a_column_without_a_value_is_refused_by_name_and_side(
    name: str, kind: ColumnKind, side: str, size: int
) -> None:
    full = _column(kind, 1)
    hollow = _with_missing(full[:size], 1)
    tables = {"reference": full, "current": full, side: hollow}
    with pytest.raises(InvalidInputError, match=f"Column 'shade' of the {side} sample"):
        _check(name, tables["reference"], tables["current"])


@EVERY
def test_both_directions_agree_where_symmetry_is_claimed(name: str, kind: ColumnKind) -> None:
    tables = {"c": _column(kind, 1)[:250]}, {"c": _column(kind, 2, is_shifted=True)}
    there, back = Pair.read("c", *tables), Pair.read("c", *tables[::-1])
    forward, backward = measure(there, name), measure(back, name)
    is_equal = forward.statistic == pytest.approx(backward.statistic, rel=1e-12)
    assert is_equal or not DRIFT_TESTS[name].is_symmetric


@EVERY
def test_the_input_is_not_changed(name: str, kind: ColumnKind) -> None:
    reference, current = _column(kind, 1), _column(kind, 2)
    reference.flags.writeable = current.flags.writeable = False
    _check(name, reference, current)


@pytest.mark.parametrize("name", DRIFT_TESTS)
def test_a_test_states_its_kinds_its_threshold_and_what_it_does(name: str) -> None:
    test = DRIFT_TESTS[name]
    assert test.kinds <= {"numeric", "categorical", "vectors"}
    assert test.kinds
    assert 0 < test.threshold < 1
    assert test.compare.__doc__


@pytest.mark.parametrize("name", [name for name, kind in EVERY_TEST_AND_KIND if kind == "numeric"])
def test_a_column_that_is_too_large_to_be_sorted_ahead_measures_as_in_order(name: str) -> None:
    rng = np.random.default_rng(7)
    tables = [
        {"x": _with_missing(rng.normal(mean, 1.0, 2 * LEAST_VALUES), 50)} for mean in (0.0, 0.1)
    ]
    pair = Pair.read("x", *tables)
    before, after = pair.reference, pair.current
    assert not before.is_sorted
    assert not after.is_sorted

    found = measure(pair, name)
    in_order = measure(Pair(before.in_order(), after.in_order()), name)

    assert found.statistic == pytest.approx(in_order.statistic, rel=1e-9)
    assert (found.p_value or 0.0) == pytest.approx(in_order.p_value or 0.0, rel=1e-9)
