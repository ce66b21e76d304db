"""The drift picture follows the data and is a PNG."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.plots import drift_plot
from ml_orchestrator.health.report import check_drift

Table = dict[str, NDArray[Any]]
GREY = np.array([0x7A, 0x88, 0x99]) / 255


def _tables(n_columns: int, shift: float) -> tuple[Table, Table]:
    rng = np.random.default_rng(5)
    reference: Table = {f"x{i}": rng.normal(size=300) for i in range(n_columns)}
    return reference, {name: values + shift for name, values in reference.items()}


def _image(picture: bytes) -> NDArray[np.float64]:
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(imread(io.BytesIO(picture), format="png"), dtype=np.float64)


def _n_grey(image: NDArray[np.float64]) -> int:
    return int((np.abs(image[..., :3] - GREY) < 0.01).all(axis=-1).sum())


def test_the_picture_changes_with_the_data_and_is_the_same_for_the_same_data() -> None:
    still, moved = _tables(1, 0.0), _tables(1, 2.0)
    pictures = [drift_plot(check_drift(*t), *t) for t in (still, moved, moved)]
    assert pictures[0] != pictures[1]
    assert pictures[1] == pictures[2]
    # The grey curve of the reference is hidden by the current one only where both are equal.
    assert _n_grey(_image(pictures[1])) > 1.3 * _n_grey(_image(pictures[0]))


def test_there_are_no_more_panels_than_asked_for() -> None:
    tables = _tables(7, 1.0)
    report = check_drift(*tables)
    heights = [_image(drift_plot(report, *tables, max_columns=n)).shape[0] for n in (1, 3, 4, 7)]
    assert heights[0] == heights[1] < heights[2] < heights[3]


def test_any_kind_of_column_can_be_drawn() -> None:
    rng = np.random.default_rng(6)
    odd = {
        "constant": np.full(50, 0.3),
        "mostly zero": np.where(rng.random(50) < 0.02, 1e9, 0.0),
        "with holes": np.where(rng.random(50) < 0.5, np.nan, rng.random(50)),
        "few integers": rng.integers(0, 3, 50),
        "$formula_{": rng.choice(np.array(["$a", "b$", "", "\u00fc" * 90, None], dtype=object), 50),
        "many categories": np.array([f"id-{i}" for i in range(50)], dtype=object),
    }
    assert _image(drift_plot(check_drift(odd, odd), odd, odd)).shape[2] == 4


@pytest.mark.parametrize("max_columns", [0, 61])
def test_a_number_of_panels_out_of_range_is_refused(max_columns: int) -> None:
    tables = _tables(1, 0.0)
    with pytest.raises(InvalidInputError, match=f"from 1 to 60; found {max_columns}"):
        drift_plot(check_drift(*tables), *tables, max_columns=max_columns)


def test_a_table_other_than_the_reports_is_refused() -> None:
    tables = _tables(1, 0.0)
    with pytest.raises(InvalidInputError, match="'x0' that the current sample lacks"):
        drift_plot(check_drift(*tables), tables[0], {})
