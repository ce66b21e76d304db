"""Large samples in cells: as exact as sorting them, whatever they look like."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics import cells
from ml_orchestrator.numerics.binning import histogram_counts
from ml_orchestrator.numerics.cell_kernels import area_between, largest_gap
from ml_orchestrator.numerics.cells import cells_of
from ml_orchestrator.numerics.kolmogorov_smirnov import kolmogorov_smirnov
from ml_orchestrator.numerics.middle import median
from ml_orchestrator.numerics.samples import SortedSample
from ml_orchestrator.numerics.wasserstein import wasserstein

Draw = Callable[[np.random.Generator, int], NDArray[Any]]
N_X, N_Y = 17_000, 12_345

PAIRS: dict[str, tuple[Draw, Draw]] = {
    "one distribution": (lambda r, n: r.normal(size=n), lambda r, n: r.normal(size=n)),
    "moved": (lambda r, n: r.normal(size=n), lambda r, n: r.normal(0.1, 1, n)),
    "wider": (lambda r, n: r.normal(size=n), lambda r, n: r.normal(0, 1.5, n)),
    "skewed": (lambda r, n: r.gamma(2, 1, n), lambda r, n: r.gamma(2.2, 1, n)),
    "apart": (lambda r, n: r.uniform(0, 1, n), lambda r, n: r.uniform(5, 6, n)),
    "rounded": (lambda r, n: r.normal(size=n).round(2), lambda r, n: r.normal(size=n).round(2)),
    "few values": (
        lambda r, n: r.integers(0, 30, n) * 1.0,
        lambda r, n: r.integers(0, 33, n) * 1.0,
    ),
    "heavy tails": (lambda r, n: r.standard_cauchy(n), lambda r, n: r.standard_cauchy(n)),
    "log-normal": (lambda r, n: r.lognormal(0, 1.5, n), lambda r, n: r.lognormal(0.1, 1.5, n)),
    "far from zero": (lambda r, n: 1e9 + r.normal(size=n), lambda r, n: 1e9 + r.normal(size=n)),
    "tiny": (lambda r, n: 1e-300 * r.uniform(size=n), lambda r, n: 1e-300 * r.uniform(size=n)),
    "huge": (lambda r, n: 1e150 * r.uniform(-1, 1, n), lambda r, n: 1e150 * r.uniform(-1, 1, n)),
    "one value": (lambda r, n: np.full(n, 3.0), lambda r, n: np.full(n, 3.0)),
    "two values": (lambda r, n: r.integers(0, 2, n) * 1.0, lambda r, n: r.integers(0, 2, n) * 1.0),
    "a few far out": (
        lambda r, n: np.append(r.normal(size=n - 2), [40.0, -25.0]),
        lambda r, n: r.normal(0.02, 1, n),
    ),
}
EVERY = pytest.mark.parametrize("name", PAIRS)


def _pair(name: str, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return PAIRS[name][0](rng, N_X), PAIRS[name][1](rng, N_Y)


def _sorted(values: NDArray[np.float64]) -> SortedSample:
    return SortedSample(np.sort(values))


@EVERY
def test_the_largest_gap_is_that_of_sorted_samples_and_of_scipy(name: str) -> None:
    x, y = _pair(name)
    found = kolmogorov_smirnov(x, y)
    assert found == kolmogorov_smirnov(_sorted(x), _sorted(y))
    theirs = ks_2samp(x, y, method="asymp")
    assert found.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-12)


@EVERY
def test_the_area_is_that_of_scipy(name: str) -> None:
    x, y = _pair(name)
    scale = max(abs(x).max(), abs(y).max())
    theirs = wasserstein_distance(x / scale, y / scale) * scale  # scipy's sums stay numbers
    assert wasserstein(x, y) == pytest.approx(theirs, rel=1e-12, abs=1e-15 * scale)


@EVERY
def test_bins_hold_what_those_of_sorted_samples_hold_and_numpy_counts(name: str) -> None:
    x, y = _pair(name)
    found, expected = histogram_counts(x, y), histogram_counts(_sorted(x), _sorted(y))
    assert found.reference.tolist() == expected.reference.tolist()
    assert found.current.tolist() == expected.current.tolist()
    if np.unique(x).size > 20:
        edges = np.histogram_bin_edges(np.concatenate([x, y]), bins="sturges")
        assert found.reference.tolist() == np.histogram(x, edges)[0].tolist()
        assert found.current.tolist() == np.histogram(y, edges)[0].tolist()


@EVERY
def test_the_median_is_that_of_numpy(name: str) -> None:
    for values in _pair(name):
        for sample in (values, values[1:], np.sort(values), _sorted(values)):
            of = sample.values if isinstance(sample, SortedSample) else sample
            assert median(sample) == np.median(of)


def test_whether_cells_help_is_seen_and_most_values_stay_unsorted() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=30_000), rng.normal(size=30_000)
    pair = cells_of(x, y)
    assert pair is not None
    assert pair.x.counts.sum() == 30_000
    wanted = np.zeros(pair.x.counts.size, dtype=bool)
    wanted[400:600] = True
    kept = pair.x.sorted_within(wanted)
    first = np.searchsorted(np.sort(x), kept[0])
    assert kept.tolist() == np.sort(x)[first : first + kept.size].tolist()
    assert pair.x.n_skipped(wanted)[400] == first
    assert cells_of(_sorted(x), _sorted(y)) is None
    assert cells_of(x[:100], y[:100]) is None
    assert cells_of(np.full(20_000, 1.0), y) is None
    assert cells_of(np.append(x, 1e9), y) is None
    assert cells_of(np.append(x, 1.7e308), np.append(y, -1.7e308)) is None


@pytest.mark.parametrize("name", ["moved", "wider", "skewed", "apart", "log-normal"])
def test_what_differs_is_measured_with_most_values_unsorted(name: str) -> None:
    x, y = _pair(name)
    pair = cells_of(x, y)
    assert pair is not None
    n = math.gcd(N_X, N_Y)
    gap = largest_gap(pair, N_Y // n, N_X // n)
    assert gap is not None
    assert gap / math.lcm(N_X, N_Y) == kolmogorov_smirnov(_sorted(x), _sorted(y)).statistic
    assert area_between(pair) == pytest.approx(wasserstein(_sorted(x), _sorted(y)), rel=1e-12)


def test_a_seed_of_every_kind_of_step_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small samples, which cells are not made for, meet the borders of cells more often."""
    monkeypatch.setattr(cells, "LEAST_VALUES", 0)
    monkeypatch.setattr(cells, "VALUES_A_CELL", 2)
    rng = np.random.default_rng(2)
    for _ in range(400):
        n_x, n_y = rng.integers(5, 60, 2)
        x = rng.normal(size=n_x).round(rng.integers(0, 4))
        y = rng.normal(rng.choice([0.0, 1.0]), 1, n_y).round(rng.integers(0, 4))
        assert kolmogorov_smirnov(x, y) == kolmogorov_smirnov(_sorted(x), _sorted(y))
        assert wasserstein(x, y) == pytest.approx(
            wasserstein(_sorted(x), _sorted(y)), rel=1e-12, abs=1e-15
        )
        found, expected = histogram_counts(x, y), histogram_counts(_sorted(x), _sorted(y))
        assert found.reference.tolist() == expected.reference.tolist()
        assert found.current.tolist() == expected.current.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_however_large(bad: float) -> None:
    x = np.append(np.zeros(20_000), bad)
    for compare in (kolmogorov_smirnov, wasserstein, histogram_counts):
        with pytest.raises(InvalidInputError, match="1 values that are NaN or infinite"):
            compare(np.arange(20_000.0), x)
    with pytest.raises(InvalidInputError, match="NaN or infinite"):
        median(x)
