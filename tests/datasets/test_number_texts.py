"""Text that was meant as numbers is told as such, and other text is left alone."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.datasets.number_texts import number_text_notice
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.table import check_head, prepare_table

PRICES = [f"€ {130_000 + 137 * i:,}" for i in range(150)]


def told(values: Sequence[str | None]) -> str:
    return number_text_notice(pl.Series("x", values))


@pytest.mark.parametrize(
    "values",
    [
        ["€ 130,546", "€ 98,000"] * 10,
        ["12 kg", "7.5 kg"] * 10,
        ["12%", "7,5 %"] * 10,
        ["1'250.50", "980"] * 10,
        ["$-3.50", "$12"] * 10,
        ["+1 250,5", None] * 10,
        ["1\u202f250 €", "98 €"] * 10,
    ],
)
def test_numbers_with_more_than_digits_are_told(values: Sequence[str | None]) -> None:
    assert f"such as {values[0]!r}, which looks like numbers" in told(values)


@pytest.mark.parametrize(
    "values",
    [
        ["a1", "b2"] * 10,
        ["2026-01-01", "2026-01-02"] * 10,
        ["12:30", "13:45"] * 10,
        ["1st", "2nd", "3rd", "4th"] * 10,
        ["1.2.3", "1.2.4"] * 10,
        ["10-20", "20-30"] * 10,
        ["low", "high", "7"] * 10,
        ["12 High Street", "9 Low Road"] * 10,
        ["€ 5"] * 9,
        [None] * 20,
    ],
)
def test_other_text_is_left_alone(values: Sequence[str | None]) -> None:
    assert told(values) == ""


def test_words_among_numbers_are_told_with_their_number_and_an_example() -> None:
    said = told(["31", " 44 ", "1e3", "unknown"] * 100 + [None] * 50)

    assert "300 of its 400 values are numbers; others are such as 'unknown'" in said


def test_following_the_advice_makes_the_column_numbers(tmp_path: Path) -> None:
    file = tmp_path / "ages.csv"
    for word in ("unknown", ""):
        file.write_text("age,y\n" + f"31,a\n44,b\n28,a\n{word},b\n" * 20)
        dataset = load_dataset(str(file), roots=[tmp_path], max_bytes=1_000_000)
        profile = profile_dataset(dataset, "y")
        about_age = [text for text in profile.warnings if text.startswith("'age' is text, but")]
        assert (profile.columns[0].kind, len(about_age)) == (
            ("categorical", 1) if word else ("numeric", 0)
        )


@pytest.mark.parametrize("task", ["auto", "regression"])
def test_a_target_of_prices_as_text_is_told_so_whatever_the_task(task: str) -> None:
    dataset = dataset_of(pl.DataFrame({"rooms": [float(i % 7) for i in range(150)], "y": PRICES}))
    spec = TrainingSpec.model_validate({"source": "t.csv", "target": "y", "task": task})

    with pytest.raises(InvalidInputError, match="looks like numbers"):
        prepare_table(spec, dataset)
    if task == "regression":
        with pytest.raises(InvalidInputError, match="looks like numbers"):
            check_head(spec, dataset)

    warnings = " ".join(profile_dataset(dataset, "y").warnings)
    assert "'y' is text such as '€ 130,000', which looks like numbers" in warnings
    assert "The target 'y', as it is read, only numbers or names the rows" in warnings
    assert "ignore" not in warnings


def test_a_training_says_which_of_its_columns_are_so() -> None:
    ages = [*map(str, range(140)), *["unknown"] * 10]
    frame = pl.DataFrame({"age": ages, "y": ["a", "b"] * 75})

    table = prepare_table(TrainingSpec(source="t.csv", target="y"), dataset_of(frame))

    (said,) = table.warnings
    assert said == number_text_notice(frame["age"]) != ""
