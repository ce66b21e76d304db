"""Where a model is worst: parts of the held-out rows, each against the rest.

A part is one value of a categorical or boolean column, a quarter of a numeric or temporal one,
or the rows that miss it. Many parts are looked at, so p values are adjusted (Holm) and the
intervals widened (Bonferroni): all of them hold together with 95 % confidence.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from ml_orchestrator.numerics.multiple_testing import holm
from ml_orchestrator.numerics.weighted import n_effective
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import Interval, Slice
from ml_orchestrator.training.preprocessing import FeatureKinds

__all__ = ["worst_slices"]

LEVEL = 0.95
MIN_ROWS = 20
MIN_CLUSTERS = 5
MOST_VALUES = 20  # of one column
MOST_COLUMNS = 50
N_SHOWN = 5
N_BINS = 4


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of one column; ``is_in`` has shape ``(n_rows,)``."""

    column: str
    value: str
    is_in: NDArray[np.bool_]


def worst_slices(
    features: pd.DataFrame,
    kinds: FeatureKinds,
    given: Predictions,
    clusters: NDArray[np.int64],
) -> tuple[tuple[Slice, ...], int]:
    """Return the parts whose loss is most surely above that of the rest, and how many were seen.

    The loss of a row is 1 where the class is wrong and 0 where it is right, or the absolute
    error; means are weighted where rows have weights. Parts of fewer than 20 rows (that their
    weights leave of them), or of fewer than five clusters, are not looked at; the worst five that
    are worse than the rest at all are returned.

    Args:
        features: raw held-out rows.
        kinds: how their columns are read; the first 50 are looked at.
        given: what was predicted for them.
        clusters: a number a row; rows with the same one are not independent of one another.
    """
    loss = _loss(given)
    weights = np.ones(len(loss)) if given.weights is None else given.weights
    parts = [part for part in _parts(features, kinds) if _is_large(part, clusters, weights)]
    found = [_compare(loss, part.is_in, clusters, weights) for part in parts]
    adjusted = holm([excess.p_value for excess in found])
    slices = [
        _slice(part, excess, p_adjusted=float(p), n_looks=len(parts))
        for part, excess, p in zip(parts, found, adjusted, strict=True)
        if excess.estimate > 0
    ]
    slices.sort(key=lambda entry: (entry.p_adjusted, -entry.excess.estimate))
    return tuple(slices[:N_SHOWN]), len(parts)


def _loss(given: Predictions) -> NDArray[np.float64]:
    if given.probabilities.shape[1]:
        return np.asarray(given.truth != given.predicted, dtype=np.float64)
    return np.abs(np.asarray(given.truth - given.predicted, dtype=np.float64))


def _parts(features: pd.DataFrame, kinds: FeatureKinds) -> Iterator[_Part]:
    for name in kinds.names[:MOST_COLUMNS]:
        column = features[name]
        missing = column.isna().to_numpy()
        if missing.any():
            yield _Part(name, "(missing)", missing)
        if name in kinds.numeric or name in kinds.temporal:
            yield from _quarters(name, column)
        else:
            for value in column.value_counts().head(MOST_VALUES).index:
                is_in = (column == value).fillna(False).to_numpy(dtype=bool)
                yield _Part(name, str(value)[:80], is_in)


def _quarters(name: str, column: "pd.Series[float]") -> Iterator[_Part]:
    is_time = pd.api.types.is_datetime64_any_dtype(column)
    # In nanoseconds, as Timestamp reads a bare integer; columns come in other units as well.
    values = _nanoseconds(column) if is_time else pd.to_numeric(column, errors="coerce")
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    numbers[column.isna().to_numpy()] = np.nan
    known = numbers[np.isfinite(numbers)]
    if len(known) == 0:
        return
    edges = np.unique(np.quantile(known, np.linspace(0, 1, N_BINS + 1)))
    for place, (low, high) in enumerate(pairwise(edges)):
        is_last = place == len(edges) - 2
        is_in = (numbers >= low) & ((numbers <= high) if is_last else (numbers < high))
        shown = [str(pd.Timestamp(int(e))) if is_time else f"{e:.4g}" for e in (low, high)]
        yield _Part(name, f"{shown[0]} to {shown[1]}", is_in)


def _nanoseconds(column: "pd.Series[Any]") -> Any:
    return column.dt.as_unit("ns").astype("int64")


def _is_large(part: _Part, clusters: NDArray[np.int64], weights: NDArray[np.float64]) -> bool:
    return all(
        side.any()
        and n_effective(weights[side]) >= MIN_ROWS
        and len(np.unique(clusters[side])) >= MIN_CLUSTERS
        for side in (part.is_in, ~part.is_in)
    )


@dataclass(frozen=True, slots=True)
class _Excess:
    """How much greater the mean loss is within a part than outside, and how sure that is.

    ``loss`` is the mean within.
    """

    loss: float
    estimate: float
    error: float
    degrees: int

    @property
    def p_value(self) -> float:
        """One-sided; 1 where all losses are the same."""
        if self.error == 0:
            return 1.0
        return float(student.sf(self.estimate / self.error, self.degrees))


def _compare(
    loss: NDArray[np.float64],
    is_in: NDArray[np.bool_],
    clusters: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> _Excess:
    """Compare the part with the rest; with one row a cluster the variance is Welch's.

    The variance is that of what each cluster adds to the difference, which allows for rows that
    hang together. Degrees of freedom are those of the side with fewer clusters.
    """
    sides = (is_in, ~is_in)
    totals = [weights[side].sum() for side in sides]
    inside, outside = (float(np.average(loss[side], weights=weights[side])) for side in sides)
    share = np.where(is_in, weights / totals[0], -weights / totals[1])
    pull = np.bincount(clusters, weights=share * (loss - np.where(is_in, inside, outside)))
    n_clusters = [len(np.unique(clusters[side])) for side in sides]
    factor = min(n_clusters) / (min(n_clusters) - 1)
    variance = factor * float((pull**2).sum()) + _unseen_variance(loss, is_in, weights)
    return _Excess(
        loss=inside,
        estimate=inside - outside,
        error=float(np.sqrt(variance)),
        degrees=min(n_clusters) - 1,
    )


def _unseen_variance(
    loss: NDArray[np.float64], is_in: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    """Return what one row at the other end of the losses adds, for a side whose rows are alike.

    A part that is wrong in every row shows no variance, but is no surer than that.
    """
    alike = [side for side in (is_in, ~is_in) if np.ptp(loss[side]) == 0]
    sizes = [n_effective(weights[side]) for side in alike]
    return float(sum((np.ptp(loss) / size) ** 2 for size in sizes))


def _slice(part: _Part, excess: _Excess, *, p_adjusted: float, n_looks: int) -> Slice:
    tail = (1 - LEVEL) / 2 / n_looks
    width = float(student.isf(tail, excess.degrees)) * excess.error
    return Slice(
        column=part.column,
        value=part.value,
        loss=excess.loss,
        excess=Interval(
            estimate=excess.estimate,
            low=excess.estimate - width,
            high=excess.estimate + width,
            level=LEVEL,
            n=int(part.is_in.sum()),
        ),
        p_adjusted=p_adjusted,
    )
