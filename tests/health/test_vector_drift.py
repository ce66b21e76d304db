"""Drift of embeddings: columns of vectors, and columns of numbers that are one vector."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mcp.client import Client
from numpy.typing import NDArray
from scipy.stats import binom
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.datasets.sources import columns_as_arrays
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.baseline import prepare_baseline
from ml_orchestrator.health.baseline_file import baseline_bytes, baseline_from
from ml_orchestrator.health.drift import finer
from ml_orchestrator.health.models import Correction
from ml_orchestrator.health.over_time import drift_over_time
from ml_orchestrator.health.plots import drift_plot
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together
from ml_orchestrator.settings import Settings

N_DIMENSIONS = 16
Vectors = NDArray[np.float64]


def _vectors(seed: int, n: int, *, turned: float = 0.0) -> Vectors:
    """Unit vectors in two groups; ``turned`` of them come from a third."""
    rng = np.random.default_rng(seed)
    centres = np.eye(N_DIMENSIONS)[:3]
    which = np.where(rng.uniform(size=n) < turned, 2, rng.integers(0, 2, n))
    rows = centres[which] + 0.3 * rng.normal(size=(n, N_DIMENSIONS))
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def test_a_new_group_of_embeddings_is_found_and_the_same_groups_are_not() -> None:
    reference = {"emb": _vectors(1, 300)}
    calm = check_drift(reference, {"emb": _vectors(2, 200)})
    moved = check_drift(reference, {"emb": _vectors(2, 200, turned=0.4)})

    assert [calm.n_drifted, moved.n_drifted] == [0, 1]
    found = moved.columns[0]
    assert (found.kind, found.test, found.n_current) == ("vectors", "mmd", 200)
    assert found.p_value == 1 / 5_000
    assert drift_plot(moved, reference, {"emb": _vectors(2, 200)}).startswith(b"\x89PNG")


def test_vectors_of_one_source_drift_at_most_at_the_nominal_rate() -> None:
    n_seeds = 40
    n_alarms = sum(
        check_drift(
            {"emb": _vectors(2 * seed, 60)}, {"emb": _vectors(2 * seed + 1, 50)}
        ).is_any_column_drifted
        for seed in range(n_seeds)
    )
    assert n_alarms <= binom.ppf(0.999, n_seeds, 0.05)


def test_vectors_with_a_gap_are_missing_and_counted() -> None:
    now = _vectors(2, 200)
    now[:50, 3] = np.nan
    found = check_drift({"emb": _vectors(1, 100)}, {"emb": now}).columns[0]
    assert (found.n_current, found.missing_share_current) == (150, 0.25)


def test_vectors_of_two_lengths_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="have 16 numbers in the reference and 15 in the"):
        check_drift({"emb": _vectors(1, 100)}, {"emb": _vectors(2, 100)[:, 1:]})


def test_vectors_are_dated_and_tested_together_with_other_columns() -> None:
    rng = np.random.default_rng(0)
    reference = {"emb": _vectors(1, 300), "x": rng.normal(size=300)}
    now: dict[str, Any] = {
        "emb": np.concatenate([_vectors(2, 150), _vectors(3, 150, turned=0.8)]),
        "x": rng.normal(size=300),
    }
    dated = drift_over_time(reference, now, tests={"emb": "mmd", "x": "ks"}, chunk="150rows")
    joint = check_together(
        reference, now, test="domain_classifier", alpha=0.05, columns=["emb", "x"]
    )
    assert dated.columns_since == {"emb": "151"}
    assert joint.is_drifted
    assert next(iter(joint.important_columns)) == "emb"


def _one_late_chunk() -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Vectors that turn in the last 30 of 300 rows, beside thirty columns that stay."""
    rng = np.random.default_rng(4)
    names = [f"x{i}" for i in range(30)]
    reference = {"emb": _vectors(1, 60), **{name: rng.normal(size=60) for name in names}}
    now = {"emb": _vectors(2, 300), **{name: rng.normal(size=300) for name in names}}
    now["emb"][-30:] = _vectors(3, 30, turned=1.0)
    return reference, now, {"emb": "mmd", **dict.fromkeys(names, "ks")}


@pytest.mark.parametrize("correction", ["benjamini_hochberg", "holm", "none"])
def test_one_late_chunk_of_many_is_dated_by_as_many_permutations_as_that_takes(
    correction: Correction,
) -> None:
    reference, now, tests = _one_late_chunk()
    found = drift_over_time(reference, now, tests=tests, chunk="30rows", correction=correction)
    assert found.columns_since["emb"] == "271"
    assert "Not dated" not in found.summary
    assert correction == "none" or list(found.columns_since) == ["emb"]


def test_a_shift_that_no_number_of_permutations_is_enough_for_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finer, "MOST_DRAWS", 5_000)
    reference, now, tests = _one_late_chunk()

    many = drift_over_time(reference, now, tests=tests, chunk="30rows")
    few = drift_over_time(reference, now, tests={"emb": "mmd"}, chunk="30rows")

    assert many.since is None
    assert "Not dated, though a chunk differs as clearly as the test can say: 'emb'" in many.summary
    assert few.columns_since == {"emb": "271"}
    assert "Not dated" not in few.summary


def test_a_baseline_keeps_vectors() -> None:
    table = {"emb": _vectors(1, 100), "x": np.arange(100.0)}
    kept = baseline_from(baseline_bytes(prepare_baseline(table, source="t")), name="t")
    assert np.array_equal(kept.samples["emb"].values, table["emb"])
    assert np.array_equal(kept.rows["emb"], table["emb"])
    assert check_drift(kept.samples, {**table, "emb": _vectors(2, 90, turned=1)}).n_drifted == 1


def test_columns_of_lists_and_arrays_are_read_as_vectors() -> None:
    rows = [[1.0, 2.0], None, [3.0, None]]
    frame = pl.DataFrame(
        {
            "list": pl.Series(rows, dtype=pl.List(pl.Float32)),
            "array": pl.Series(rows, dtype=pl.Array(pl.Int16, 2), strict=False),
            "ragged": pl.Series([[1], [1, 2], []], dtype=pl.List(pl.Int64)),
            "words": pl.Series([["a"], ["b"], ["c"]], dtype=pl.List(pl.String)),
        }
    )
    found = columns_as_arrays(frame)
    wanted = [[1.0, 2.0], [np.nan, np.nan], [3.0, np.nan]]
    np.testing.assert_array_equal(found["list"], wanted)
    np.testing.assert_array_equal(found["array"], wanted)
    assert found["ragged"].dtype.kind == found["words"].dtype.kind == "O"


async def test_files_with_vectors_and_with_groups_of_columns_are_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, vectors in (("then", _vectors(1, 200)), ("now", _vectors(2, 150, turned=0.7))):
        parts = {f"emb_{i}": vectors[:, i] for i in range(N_DIMENSIONS)}
        frame = pl.DataFrame({**parts, "x": rng.normal(size=len(vectors))})
        frame.with_columns(vec=pl.Series(vectors.tolist())).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    files = {"reference": "then.parquet", "current": "now.parquet"}
    async with Client(build_server(Settings.read({}, project_dir=tmp_path))) as client:
        found = await ask(client, "drift_check", **files, columns=["emb_*", "vec", "x"])
        refused = await refusal(client, "drift_check", **files, columns=["none_*"])

    assert set(found["drifted_columns"]) == {"emb_*", "vec"}
    assert {c["column"]: c["kind"] for c in found["columns"]} == {
        "emb_*": "vectors",
        "vec": "vectors",
        "x": "numeric",
    }
    assert "'none_*' stands for a vector of columns that begin with 'none_'" in refused
