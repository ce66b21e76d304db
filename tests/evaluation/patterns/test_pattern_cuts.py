"""Numbers are cut at their ends and in ranges too, and nothing is found where nothing is."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluation.patterns.planting import Table, chances_to_outcome

from ml_orchestrator.evaluation.patterns import cuts
from ml_orchestrator.evaluation.patterns.cuts import SHAPES, cut_numbers
from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.models import PatternReport
from ml_orchestrator.evaluation.patterns.request import PatternSpec

SPEC = PatternSpec("won", with_clusters=False)


def people(rng: np.random.Generator, n: int = 6_000) -> Table:
    age = rng.integers(18, 80, n).astype(float)
    return {"age": age, "x": rng.normal(size=n), "a": rng.normal(size=n), "b": rng.random(n)}


def first_of(report: PatternReport, *columns: str) -> list[str]:
    """Return the replicated pattern of the largest effect for each column."""
    held = [p for p in report.patterns if p.status == "replicated"]
    size = {p.pattern: abs(p.replication.effect) for p in held if p.replication}
    return [max((p for p in size if name in p.split()), key=size.__getitem__) for name in columns]


def bounds(name: str) -> list[float]:
    return [float(word) for word in name.split() if word[-1].isdigit()]


def test_what_happens_only_at_the_ends_of_numbers_is_found_there() -> None:
    rng = np.random.default_rng(0)
    table = people(rng)
    chances = 0.3 + 0.35 * (table["age"] > 74) + 0.3 * (table["x"] < -1.6)
    table["won"] = chances_to_outcome(rng, chances)

    old, low = first_of(discover_patterns(table, SPEC), "age", "x")

    assert old.startswith("age > ")
    assert 70 <= bounds(old)[0] <= 77
    assert low.startswith("x <= ")
    assert -1.8 < bounds(low)[0] < -1.4


def test_what_happens_only_in_the_middle_is_found_as_a_range() -> None:
    rng = np.random.default_rng(1)
    table = people(rng)
    table["won"] = (np.abs(table["a"]) < 0.5).astype(float)

    (middle,) = first_of(discover_patterns(table, SPEC), "a")

    np.testing.assert_allclose(bounds(middle), [-0.5, 0.5], atol=0.1)


def test_a_steady_rise_is_told_with_few_cuts() -> None:
    rng = np.random.default_rng(2)
    table = people(rng)
    table["won"] = table["a"] + rng.normal(size=6_000)
    patterns = discover_patterns(table, SPEC).patterns
    assert 1 <= sum("a" in p.pattern.split() for p in patterns) <= 3


def test_many_cuts_of_numbers_that_mean_nothing_seldom_show_anything() -> None:
    n_any = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table: Table = {f"n{i}": rng.normal(size=1_000) for i in range(10)}
        table["won"] = chances_to_outcome(rng, np.full(1_000, 0.5))
        n_any += discover_patterns(table, SPEC).n_confirmed > 0
    assert n_any <= 2  # nominal 10 %; the seeds are fixed


def cut(values: NDArray[np.float64], n_columns: int = 1) -> tuple[list[str], list[str]]:
    middle = values > np.median(values)
    columns = [(f"n{i}", values) for i in range(n_columns)]
    found, notices = cut_numbers(columns, [middle], learn_on=np.arange(100), least=5)
    return [one.name for one in found], notices


def test_cuts_are_learnt_on_the_first_part_and_none_is_made_twice() -> None:
    values = np.concatenate([np.arange(100.0), np.full(100, 1e9)])
    names, notices = cut(values, n_columns=2)
    assert names[:3] == ["n0 > 89", "n0 <= 9", "29 < n0 <= 69"]
    assert len(names) == len(set(names)) == len(SHAPES)  # the second column is the first
    assert notices == []


def test_of_many_large_columns_fewer_cuts_are_made_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuts, "MOST_CELLS", 3 * 100)
    names, notices = cut(np.arange(100.0))
    assert len(names) == 3
    assert "cut in 3 places" in notices[0]
