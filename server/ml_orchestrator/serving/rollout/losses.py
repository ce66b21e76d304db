"""Losses of predictions whose truth became known."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MOST_PAIRS", "Losses"]

MOST_PAIRS = 20_000


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of both versions, paired or in order of arrival, 0 to 1."""

    old: Sequence[float] = ()
    new: Sequence[float] = ()
