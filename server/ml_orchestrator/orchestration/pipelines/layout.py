"""Where the boxes of a graph stand in a picture, and the ways of the arrows between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_orchestrator.orchestration.pipelines.graph import levels_of

__all__ = ["HEIGHT", "WIDTH", "Layout", "Place", "laid_out"]

WIDTH, HEIGHT = 1.0, 0.5  # of a box
COLUMN, ROW = 1.5, 0.9  # from one to the next
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """The middle of each box, and for each arrow, by its two steps, the corners of its way."""

    boxes: Mapping[str, Place]
    ways: Mapping[tuple[str, str], Sequence[Place]]

    @property
    def n_columns(self) -> int:
        """How many columns there are."""
        return 1 + round(max(x for x, _ in self.boxes.values()) / COLUMN)

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest middle of a row, be it of a box or of an arrow alone."""
        heights = [y for _, y in self.boxes.values()]
        heights += [y for way in self.ways.values() for _, y in way]
        return min(heights), max(heights)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        lowest, highest = self.span
        return 1 + round((highest - lowest) / ROW)


def laid_out(order: Sequence[str], needs: Mapping[str, Sequence[str]]) -> Layout:
    """Return a picture's layout: columns by level, rows near what a step needs.

    Where a step is needed beyond the next column, a row is kept free for its arrows in each column
    between, so that none crosses a box.
    """
    levels = levels_of(order, needs)
    known = {name: [each for each in needs[name] if each in levels] for name in order}
    ends = dict(levels)  # the last column that a step has a row in
    for name, wanted in known.items():
        for each in wanted:
            ends[each] = max(ends[each], levels[name] - 1)
    rows = _rows(order, known, levels, ends)

    def at(name: str, level: int, side: float = 0.0) -> Place:
        return level * COLUMN + side * WIDTH / 2, -rows[name, level] * ROW

    def way(start: str, end: str) -> list[Place]:
        between = range(levels[start] + 1, levels[end])
        corners = [at(start, level, side) for level in between for side in (-1, 1)]
        return [at(start, levels[start], 1), *corners, at(end, levels[end], -1)]

    return Layout(
        boxes={name: at(name, levels[name]) for name in order},
        ways={(each, name): way(each, name) for name, wanted in known.items() for each in wanted},
    )


def _rows(
    order: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    levels: Mapping[str, int],
    ends: Mapping[str, int],
) -> dict[tuple[str, int], float]:
    """Return the row of each step in each column that it has one in, spread around 0."""
    rows: dict[tuple[str, int], float] = {}
    for level in range(1 + max(levels.values(), default=-1)):
        column = [name for name in order if levels[name] <= level <= ends[name]]
        before = {name: [name] if levels[name] < level else list(needs[name]) for name in column}
        wanted = {
            name: sum(rows[each, level - 1] for each in those) / len(those) if those else 0.0
            for name, those in before.items()
        }
        column.sort(key=wanted.__getitem__)
        for row, name in enumerate(column):
            rows[name, level] = row - (len(column) - 1) / 2
    return rows
