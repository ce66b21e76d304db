"""How much memory this process has."""

import resource
from pathlib import Path

__all__ = ["grown_mb", "resident_mb"]

STATM = Path("/proc/self/statm")


def resident_mb() -> float | None:
    """Return how much of this process is in memory, in MB; None where the system does not tell."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize() / 1e6


def grown_mb(before_mb: float | None) -> float | None:
    """Return by how much this process has grown since it had ``before_mb``; None if not told."""
    now_mb = resident_mb()
    return None if before_mb is None or now_mb is None else now_mb - before_mb
