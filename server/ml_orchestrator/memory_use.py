"""How much memory this process has."""

import resource
from pathlib import Path

__all__ = ["resident_mb"]

STATM = Path("/proc/self/statm")


def resident_mb() -> float | None:
    """Return how much of this process is in memory, in MB; None where the system does not tell."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize() / 1e6
