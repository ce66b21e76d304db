"""Samples of numbers: checked, and sorted once for everything that needs them sorted."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["FiniteSample", "SampleLike", "SortedSample", "finite_sample", "sorted_sample"]


@dataclass(frozen=True, slots=True)
class SortedSample:
    """Finite float64 values in ascending order, shape ``(n,)``; its maker vouches for both.

    Every kernel that takes a sample takes this too and then neither checks nor sorts.
    """

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FiniteSample:
    """Finite float64 values in any order, shape ``(n,)``; its maker vouches for that."""

    values: NDArray[np.float64]


SampleLike: TypeAlias = ArrayLike | SortedSample | FiniteSample


def finite_sample(values: SampleLike, name: str, *, n_least: int = 1) -> NDArray[np.float64]:
    """Return ``values`` as float64, shape ``(n,)``.

    Raises:
        InvalidInputError: it has fewer than ``n_least`` values, is not one-dimensional, or holds
            NaN or an infinity.
    """
    if isinstance(values, SortedSample | FiniteSample):
        sample = values.values
    else:
        sample = np.asarray(values, dtype=np.float64)
        _refuse_infinite(sample, name)
    if sample.ndim != 1 or sample.size < n_least:
        wanted = "not empty" if n_least == 1 else f"of at least {n_least} values"
        raise InvalidInputError(
            f"Sample {name!r} must be one-dimensional and {wanted}; found shape {sample.shape}."
        )
    return sample


def sorted_sample(values: SampleLike, name: str, *, n_least: int = 1) -> NDArray[np.float64]:
    """Return ``values`` in ascending order, shape ``(n,)``.

    Raises:
        InvalidInputError: as by `finite_sample`.

    >>> sorted_sample([3, 1, 2], "x").tolist()
    [1.0, 2.0, 3.0]
    """
    sample = finite_sample(values, name, n_least=n_least)
    return sample if isinstance(values, SortedSample) else np.sort(sample)


def _refuse_infinite(sample: NDArray[np.float64], name: str) -> None:
    if not np.isfinite(sample).all():
        n_bad = int(np.count_nonzero(~np.isfinite(sample)))
        raise InvalidInputError(
            f"Sample {name!r} holds {n_bad} values that are NaN or infinite; remove them first."
        )
