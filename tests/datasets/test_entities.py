"""What rows repeat is found by what stays the same, and not where chance or a formula does that."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from ml_orchestrator.datasets.entities import find_entity

N, EACH = 60, 5


def visits(seed: int = 0) -> pl.DataFrame:
    """Five visits of each of 60 persons in mixed order; age and town belong to the person."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(N), EACH))
    return pl.DataFrame(
        {
            "who": 1_000 + who,
            "age": rng.integers(18, 90, N)[who],
            "town": rng.choice(["Ulm", "Bonn", "Jena"], N)[who],
            "pulse": rng.integers(50, 120, N * EACH),
            "weight": rng.normal(size=N * EACH),
        }
    )


@pytest.mark.parametrize("as_type", [pl.Int64, pl.Float64, pl.String])
def test_what_belongs_to_an_entity_names_it_whatever_it_is_called(as_type: Any) -> None:
    found = find_entity(visits().with_columns(pl.col("who").cast(as_type)), "pulse")

    assert found is not None
    assert found.column == "who"
    assert "60 values in 300 rows" in found.evidence
    assert "'age', 'town' stay the same" in found.evidence


def test_a_name_of_a_key_is_enough_but_evidence_goes_first() -> None:
    frame = visits().with_columns(machine=pl.int_range(300) % 30)

    named = find_entity(frame.select("machine", "weight"), None)
    both = find_entity(frame, None)

    assert named is not None
    assert named.evidence == (
        "'machine' is named like a key and has 30 values in 300 rows: rows of one value may be "
        "alike."
    )
    assert both is not None
    assert both.column == "who"


@pytest.mark.parametrize(
    "frame",
    [
        visits().drop("town"),  # one column that stays the same
        visits().with_columns(pl.col("age", "town").shuffle(1)),
        visits().with_columns(town=pl.col("age") * 2),  # the same column once more
        visits().select(  # ranges of a number, and another name of it
            "pulse",
            "weight",
            tens=pl.col("pulse") // 10,
            band=pl.col("pulse") // 25,
            name=pl.format("p{}", "pulse"),
        ),
        visits().head(30),
        pl.DataFrame({"k": np.arange(600) // 2, "a": [0] * 599 + [1], "b": [1] + [0] * 599}),
    ],
)
def test_chance_copies_and_ranges_do_not_make_an_entity(frame: pl.DataFrame) -> None:
    assert find_entity(frame, None) is None


def test_the_target_is_neither_the_entity_nor_evidence_of_one() -> None:
    assert find_entity(visits(), "who") is None
    assert find_entity(visits(), "age") is None


def test_of_large_tables_whole_values_are_looked_at() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(20_000), 6)
    frame = pl.DataFrame(
        {
            "who": who,
            "age": rng.integers(18, 90, 20_000)[who],
            "sex": rng.integers(0, 2, 20_000)[who],
            "value": rng.normal(size=120_000),
        }
    )

    found = find_entity(frame, "value")

    assert found is not None
    assert "20,000 values in 120,000 rows, on all rows of each of which 'age', 'sex'" in (
        found.evidence
    )


def test_distinct_values_are_counted_a_column_and_not_a_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    noise = pl.DataFrame({f"c{j}": rng.integers(0, 40 + j % 3, 300) for j in range(90)})
    frame = visits().hstack(noise)
    counted: list[str] = []

    def counting(kind: Any) -> Any:
        n_unique = kind.n_unique

        def count(values: Any) -> int:
            counted.append(kind.__name__)
            return int(n_unique(values))

        return count

    for kind in (pl.Series, pl.DataFrame):
        monkeypatch.setattr(kind, "n_unique", counting(kind))
    found = find_entity(frame, None)

    assert found is not None
    assert found.column == "who"
    assert len(counted) < 2 * frame.width
