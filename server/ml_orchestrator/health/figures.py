"""What the pictures of drift and of performance share."""

import io

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["as_png", "named_places"]

MOST_NAMED = 8


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def named_places(n_places: int) -> NDArray[np.int_]:
    """Return which of so many chunks get a name on the axis: eight at most, first and last too."""
    return np.unique(np.linspace(0, n_places - 1, MOST_NAMED).round().astype(int))
