"""What a trainer asks when it describes its search space."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["ParamSpace", "ParamValue", "Params"]

ParamValue = int | float | str
Params = dict[str, ParamValue]


class ParamSpace(Protocol):
    """Answers each question with the value to try; ranges include both ends.

    A name is asked once per trial, always with the same range.
    """

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number in ``[low, high]``, drawn by its logarithm if ``log``."""
        ...

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number in ``[low, high]``, drawn by its logarithm if ``log``."""
        ...

    def choice(self, name: str, options: Sequence[str]) -> str:
        """Return one of ``options``."""
        ...
