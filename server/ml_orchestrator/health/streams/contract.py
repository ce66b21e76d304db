"""What watches a stream of numbers, value by value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

__all__ = ["Change", "DetectorName", "StreamDetector"]

DetectorName = Literal["adwin", "page_hinkley", "kswin", "ddm"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change in a stream.

    Attributes:
        seen: number of the value at which it was noticed, from 0.
        since: number of the value from which it probably holds, at most ``seen``.
    """

    seen: int
    since: int


class StreamDetector(Protocol):
    """Watches one stream; for one thread at a time.

    After a change it begins anew and looks for the next. The same values give the same changes,
    whether it was stored and restored between them or not.
    """

    @property
    def n_seen(self) -> int:
        """Values so far."""
        ...

    def update(self, value: float) -> Change | None:
        """Take the next value; return a change if it is noticed at this value.

        Raises:
            InvalidInputError: the value is not finite, or no value that the detector takes.
        """
        ...

    def state(self) -> Mapping[str, Any]:
        """Return all that it knows, as JSON; `restore_detector` goes on from there."""
        ...
