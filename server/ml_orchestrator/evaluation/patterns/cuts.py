"""Numbers cut elsewhere than in the middle: high and low ends, and ranges, at learnt quantiles."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cut", "cut_numbers"]

SHAPES: tuple[tuple[float, float], ...] = (
    (0.9, 1.0), (0.0, 0.1), (0.3, 0.7), (0.8, 1.0), (0.0, 0.2), (0.95, 1.0), (0.0, 0.05),
    (0.1, 0.9), (0.7, 1.0), (0.0, 0.3), (0.6, 1.0), (0.0, 0.4), (0.2, 0.8), (0.4, 0.6),
    (0.5, 0.7), (0.3, 0.5), (0.7, 0.9), (0.1, 0.3), (0.5, 0.9), (0.1, 0.5),
)  # fmt: skip
"""Quantiles that bound a cut, most telling first: as many are used as memory allows."""
MOST_CELLS = 60_000_000  # cases times cuts


@dataclass(frozen=True, slots=True)
class Cut:
    """Numbers between two bounds: its name, its column, and which of all cases hold it."""

    name: str
    column: str
    holds: NDArray[np.bool_]


def cut_numbers(
    numbers: Iterable[tuple[str, NDArray[Any]]],
    known: Iterable[NDArray[np.bool_]],
    *,
    learn_on: NDArray[np.int64],
    least: int,
) -> tuple[tuple[Cut, ...], list[str]]:
    """Return cuts that ``least`` cases of the first part hold, as many do not, and notices.

    Bounds are quantiles of the first part. A cut that holds the same cases there as another one,
    as a ``known`` feature, or as the opposite of either, is left out.

    Args:
        numbers: columns by name, each shape ``(n_cases,)``, NaN for missing.
        known: features that are there already, shape ``(n_cases,)``.
        learn_on: rows of the first part.
        least: cases on either side.
    """
    listed = list(numbers)
    if not listed:
        return (), []
    n_shapes = min(len(SHAPES), MOST_CELLS // (len(listed) * len(listed[0][1])))
    seen = {key for one in known for key in _keys(one[learn_on])}
    found = []
    for name, values in listed:
        first = values[learn_on]
        first = first[np.isfinite(first)]
        for shape in SHAPES[:n_shapes] if np.unique(first).size > 2 else ():
            cut = _cut(name, values, np.quantile(first, shape, method="inverted_cdf"), shape)
            here = cut.holds[learn_on]
            same, opposite = _keys(here)
            if least <= np.count_nonzero(here) <= len(here) - least and same not in seen:
                found.append(cut)
                seen |= {same, opposite}
    notices = []
    if n_shapes < len(SHAPES):
        notices.append(
            f"Numbers are cut in {n_shapes} places beside the middle instead of {len(SHAPES)}, "
            "because there are so many of them; name fewer columns in features for all."
        )
    return tuple(found), notices


def _cut(
    name: str, values: NDArray[Any], bounds: NDArray[np.float64], shape: tuple[float, float]
) -> Cut:
    low, high = map(float, bounds)
    if shape[1] == 1:
        return Cut(f"{name} > {low:.4g}", name, values > low)
    if shape[0] == 0:
        return Cut(f"{name} <= {high:.4g}", name, values <= high)
    holds = (values > low) & (values <= high)
    return Cut(f"{low:.4g} < {name} <= {high:.4g}", name, holds)


def _keys(holds: NDArray[np.bool_]) -> tuple[bytes, bytes]:
    return np.packbits(holds).tobytes(), np.packbits(~holds).tobytes()
