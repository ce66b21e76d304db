from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.datasets.split_hints import suggest_split

DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(60)]
SHUFFLED = DAYS[::2] + DAYS[1::2]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("day", DAYS, "time"),
        ("day", DAYS[::-1], "time"),
        ("day", [day for day in DAYS[:30] for _ in range(2)], "time"),
        ("born", SHUFFLED, "random"),
        ("day", [*DAYS[:-1], None], "random"),
        ("day", [DAYS[0]] * 30 + [DAYS[1]] * 30, "random"),
        ("patient_id", [i // 3 for i in range(60)], "group"),
        ("customerId", [f"c{i % 20}" for i in range(60)], "group"),
        ("customer", [i % 19 for i in range(60)], "random"),
        ("age_group", [i % 25 for i in range(60)], "random"),
        ("id", list(range(60)), "random"),
        ("session", [i % 5 for i in range(60)], "random"),
        ("humid", [i % 20 for i in range(60)], "random"),
        ("user", [i % 20 + 0.5 for i in range(60)], "random"),
    ],
)
def test_rows_that_belong_together_are_recognised(name: str, values: list[Any], kind: str) -> None:
    hint = suggest_split(pl.DataFrame({"x": [i * 0.1 for i in range(60)], name: values}), None)

    assert hint.kind == kind
    assert hint.column == (None if kind == "random" else name)


def test_time_comes_before_groups() -> None:
    frame = pl.DataFrame({"user": [i % 20 for i in range(60)], "day": DAYS})
    assert suggest_split(frame, None).column == "day"


@pytest.mark.parametrize("by", ["day", "shop"])
def test_series_are_named_beside_their_time(by: str) -> None:
    frame = pl.DataFrame(
        {
            "day": [day for day in DAYS for _ in range(3)],
            "shop": ["a", "b", "c"] * 60,
            "region": ["north", "north", "south"] * 60,
        }
    ).sort(by, maintain_order=True)

    hint = suggest_split(frame, None)
    mixed = suggest_split(frame.sample(fraction=1, shuffle=True, seed=0), None)

    assert (hint.kind, hint.column, hint.group) == ("time", "day", "shop")
    assert hint.evidence.startswith("The rows " if by == "day" else "The rows of each 'shop' ")
    assert "'shop' has 3 values" in hint.group_evidence
    assert mixed.kind == "random"


def test_the_target_neither_orders_nor_groups() -> None:
    assert suggest_split(pl.DataFrame({"day": DAYS}), "day").kind == "random"


@pytest.mark.parametrize(
    ("source", "kind", "column"),
    [("daily_demand", "time", "date"), ("iris", "random", None)],
)
def test_the_profile_says_how_to_hold_rows_out(source: str, kind: str, column: str | None) -> None:
    profile = profile_dataset(load_dataset(f"builtin:{source}", roots=[], max_bytes=1), None)

    assert (profile.suggested_split, profile.split_column) == (kind, column)
    assert profile.split_evidence
