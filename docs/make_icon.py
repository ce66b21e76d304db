"""Draw the plug-in's icon: one conductor among the points it leads. Run it from ``.venv``."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
SIDE_PIXELS = 512
PURPLE, LIGHT = "#5b2a86", "#f4edfa"


def draw() -> Figure:
    """Return the icon as a square figure."""
    figure = Figure(figsize=(1, 1), dpi=SIDE_PIXELS, facecolor=PURPLE)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-1, 1), ylim=(-1, 1))
    axes.set_axis_off()
    angles = np.pi / 2 + 2 * np.pi * np.arange(5) / 5
    x, y = 0.62 * np.cos(angles), 0.62 * np.sin(angles)
    for end in zip(x, y, strict=True):
        axes.plot([0, end[0]], [0, end[1]], color=LIGHT, linewidth=2.2)
    axes.scatter(x, y, s=62, color=LIGHT, zorder=3)
    axes.scatter([0], [0], s=240, color=LIGHT, zorder=3)
    axes.scatter([0], [0], s=90, color=PURPLE, zorder=4)
    return figure


def main() -> None:
    """Write the file."""
    draw().savefig(ROOT / ".claude-plugin" / "icon.png", facecolor=PURPLE)


if __name__ == "__main__":
    main()
