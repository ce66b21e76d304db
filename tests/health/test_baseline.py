"""A baseline is what its data were: in memory, as bytes, and after something went wrong."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import (
    ConflictError,
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from ml_orchestrator.health.baseline import MOST_ROWS_KEPT, Baseline, prepare_baseline
from ml_orchestrator.health.baseline_file import MAGIC, baseline_bytes, baseline_from
from ml_orchestrator.health.baseline_store import BaselineStore
from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together

Table = dict[str, NDArray[Any]]
MIXED = np.array(["a", None, True, 1, 1.5, "\u00fc" * 3, ""] * 30, dtype=object)


def _table(seed: int, n: int = 210, shift: float = 0.0) -> Table:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(shift, 1, n)
    numbers[::7] = np.nan
    return {
        "x": numbers,
        "whole": rng.integers(0, 9, n),
        "shade": rng.choice(np.array(["red", "blue", None], dtype=object), n),
        "place": rng.normal(shift, 1, (n, 2)),
    }


def _baseline(table: Table) -> Baseline:
    return prepare_baseline(table, source="data.csv", facts={"digest": "ab"})


@pytest.mark.parametrize("test", [*DRIFT_TESTS, "auto"])
def test_a_stored_baseline_measures_what_its_data_measure(test: str) -> None:
    before, after = _table(1), _table(2, shift=0.5)
    kind_of = {"shade": "categorical", "place": "vectors"}
    kinds = {"auto": {"numeric", *kind_of.values()}}
    kinds |= {n: set[str](t.kinds) for n, t in DRIFT_TESTS.items()}
    names = [c for c in before if kind_of.get(c, "numeric") in kinds[test]]
    kept = baseline_from(baseline_bytes(_baseline(before)), name="b")
    found, wanted = (
        check_drift(reference, after, tests=test, columns=names)
        for reference in (kept.samples, before)
    )
    assert found == wanted


def test_tests_of_columns_together_take_the_rows_that_were_kept() -> None:
    before, after = _table(1), _table(2)
    kept = baseline_from(baseline_bytes(_baseline(before)), name="b")
    found, wanted = (
        check_together(rows, after, test="mmd", alpha=0.05, columns=list(before))
        for rows in (kept.rows, before)
    )
    assert found == wanted


def test_every_value_comes_back_in_its_type() -> None:
    again = baseline_from(baseline_bytes(_baseline({"m": MIXED})), name="b")
    assert [(type(v), v) for v in again.rows["m"].tolist()] == [(type(v), v) for v in MIXED]
    assert sorted(map(repr, again.samples["m"].values)) == sorted(
        repr(v) for v in MIXED if v is not None
    )
    assert (again.n_rows, again.source, again.facts) == (210, "data.csv", {"digest": "ab"})


def test_equal_data_give_equal_bytes_and_no_more_rows_are_kept_than_needed() -> None:
    n = MOST_ROWS_KEPT + 5
    first, second = (baseline_bytes(_baseline(_table(3, n))) for _ in range(2))
    assert first == second
    kept = baseline_from(first, name="b")
    assert (kept.n_rows, kept.samples["x"].n_rows, kept.rows["x"].size) == (n, n, MOST_ROWS_KEPT)


def _damaged() -> dict[str, bytes]:
    whole = baseline_bytes(_baseline(_table(1)))
    body = b'\x08\0\0\0\0\0\0\0{"a": 1}'
    digest = hashlib.sha256(body).hexdigest().encode()
    return {
        "a flipped bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "cut off": whole[:-100],
        "cut off early": whole[: len(MAGIC) + 5],
        "empty": b"",
        "something else": b"\x80\x05}\x94.",
        "another's header": MAGIC + b"1\n" + digest + b"\n" + body,
    }


@pytest.mark.parametrize("fault", _damaged())
def test_what_is_not_what_was_written_is_refused_by_name(fault: str) -> None:
    with pytest.raises(IntegrityViolationError, match=r"Baseline 'b' .*save the baseline again"):
        baseline_from(_damaged()[fault], name="b")


def test_a_format_of_another_release_is_named() -> None:
    later = baseline_bytes(_baseline(_table(1))).replace(MAGIC + b"1\n", MAGIC + b"2\n")
    with pytest.raises(UnavailableError, match="format 2; this release reads 1"):
        baseline_from(later, name="b")


def test_a_store_keeps_the_first_content_of_a_name(tmp_path: Path) -> None:
    store, first = BaselineStore(tmp_path), _baseline(_table(1))
    size = store.save("visits", first)
    assert store.save("visits", first) == size == len(baseline_bytes(first))
    with pytest.raises(ConflictError, match="such as visits-2"):
        store.save("visits", _baseline(_table(2)))
    assert baseline_bytes(store.load("visits")) == baseline_bytes(first)
    assert store.names() == ["visits"]
    assert [p.name for p in (tmp_path / "baselines").iterdir()] == ["visits.baseline"]


def test_an_unknown_name_lists_the_known_ones_and_an_odd_one_is_refused(tmp_path: Path) -> None:
    store = BaselineStore(tmp_path)
    with pytest.raises(NotFoundError, match="known: none; make one with baseline_save"):
        store.load("visits")
    for odd in ("../visits", "", ".hidden", "a/b", "a" * 65):
        with pytest.raises(InvalidInputError, match="cannot name a baseline"):
            store.load(odd)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": np.ones(3), "b": np.ones(4)}, "columns of one length"),
        ({}, "columns of one length; found no column"),
        ({"a": np.full(3, np.nan), "b": np.array([None] * 3, dtype=object)}, "no column with a va"),
    ],
)
def test_a_table_that_cannot_be_a_reference_is_refused(table: Table, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        _baseline(table)


def test_other_objects_are_not_kept() -> None:
    with pytest.raises(InvalidInputError, match="'a' holds a tuple; a baseline keeps text"):
        baseline_bytes(_baseline({"a": np.array([(1,), (2, 3)], dtype=object)}))
