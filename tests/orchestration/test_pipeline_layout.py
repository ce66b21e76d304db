"""In the picture of a pipeline no box hides another one, and no arrow runs through a box."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_orchestrator.orchestration.pipelines.graph import ordered
from ml_orchestrator.orchestration.pipelines.layout import HEIGHT, WIDTH, Layout, Place, laid_out

Needs = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    needs: Needs = {}
    for number in range(draw(st.integers(1, 12))):
        earlier = list(needs)
        wanted = st.lists(st.sampled_from(earlier), max_size=4, unique=True)
        needs[f"s{number}"] = draw(wanted) if earlier else []
    return needs


def crossed(layout: Layout) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each arrow with a box that it runs through or along and does not end at."""
    for ends, way in layout.ways.items():
        for name, box in layout.boxes.items():
            if name not in ends and any(_meets(*part, box) for part in pairwise(way)):
                yield ends, name


def _meets(start: Place, end: Place, box: Place) -> bool:
    points = [
        (start[0] + (end[0] - start[0]) * part / 100, start[1] + (end[1] - start[1]) * part / 100)
        for part in range(101)
    ]
    return any(
        abs(x - box[0]) <= WIDTH / 2 - 1e-9 and abs(y - box[1]) <= HEIGHT / 2 + 0.05
        for x, y in points
    )


@given(graphs())
def test_no_arrow_crosses_a_box_that_is_not_its_end(needs: Needs) -> None:
    layout = laid_out(ordered(needs), needs)

    assert list(crossed(layout)) == []
    assert set(layout.ways) == {(each, name) for name, wanted in needs.items() for each in wanted}
    for (start, end), way in layout.ways.items():
        (x0, y0), (x1, y1) = layout.boxes[start], layout.boxes[end]
        assert (way[0], way[-1]) == ((x0 + WIDTH / 2, y0), (x1 - WIDTH / 2, y1))
        assert all(before[0] < after[0] for before, after in pairwise(way))


@given(graphs())
def test_no_two_boxes_overlap_and_what_comes_first_stands_left(needs: Needs) -> None:
    layout = laid_out(ordered(needs), needs)

    for one, other in combinations(layout.boxes.values(), 2):
        assert abs(one[0] - other[0]) > WIDTH or abs(one[1] - other[1]) > HEIGHT
    lowest, highest = layout.span
    assert all(lowest <= y <= highest for _, y in layout.boxes.values())


@pytest.mark.parametrize("n_between", [1, 3])
def test_an_arrow_over_a_chain_goes_around_its_boxes(n_between: int) -> None:
    names = ["first", *(f"b{number}" for number in range(n_between)), "last"]
    needs = {name: [before] for before, name in pairwise(names)} | {"first": []}
    needs["last"].append("first")

    layout = laid_out(ordered(needs), needs)

    assert list(crossed(layout)) == []
    assert len(layout.ways["first", "last"]) == 2 + 2 * n_between
    assert (layout.n_columns, layout.n_rows) == (n_between + 2, 2)
