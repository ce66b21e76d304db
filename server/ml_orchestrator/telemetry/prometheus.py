"""Prometheus' text format (version 0.0.4).

The format is a line per number; a client library would bring a registry of its own and global
state for the sake of these.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["CONTENT_TYPE", "Histogram", "head", "sample"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def head(name: str, kind: str, text: str) -> tuple[str, str]:
    """Return the two lines before the samples of a metric."""
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def sample(name: str, labels: Mapping[str, str], value: float) -> str:
    """Return one sample.

    Example:
        >>> sample("up", {"job": "a"}, 1)
        'up{job="a"} 1'
    """
    told = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value}" if told else f"{name} {value}"


class Histogram:
    """Counts of values by label and upper bound. Not thread-safe; its owner has a lock."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts: defaultdict[Labels, list[int]] = defaultdict(self._none)
        self._sums: defaultdict[Labels, float] = defaultdict(float)

    def _none(self) -> list[int]:
        return [0] * (len(self._bounds) + 1)

    def observe(self, value: float, labels: Labels) -> None:
        """Count a value."""
        self._counts[labels][bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def lines(self, name: str, text: str) -> Iterator[str]:
        """Return everything as text, sorted by label."""
        yield from head(name, "histogram", text)
        for labels, counts in sorted(self._counts.items()):
            told, seen = dict(labels), 0
            for bound, count in zip((*self._bounds, "+Inf"), counts, strict=True):
                seen += count
                yield sample(f"{name}_bucket", {**told, "le": str(bound)}, seen)
            yield sample(f"{name}_sum", told, self._sums[labels])
            yield sample(f"{name}_count", told, seen)
