"""What may leak the target stays on record with the version that was trained on it."""

import doctest
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.steps import StepContext
from ml_orchestrator.orchestration.steps.register import register
from ml_orchestrator.orchestration.steps.search import search
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.registry import leaks
from ml_orchestrator.registry.leaks import LEAKS_TAG, leak_tags, leak_warnings
from ml_orchestrator.settings import Settings


def report(fraction: float, message: str, numbers: Mapping[str, float] | None = None) -> None:
    """Take how far a step is."""


def test_a_version_warns_of_the_columns_that_its_training_suspects(home: Path) -> None:
    y = ["yes", "no", "no"] * 40
    frame = pl.DataFrame({"x": range(120), "closed": [each == "yes" for each in y], "y": y})
    frame.write_csv(home.parent / "data.csv")
    settings = Settings(home=home, project_dir=home.parent)
    context = StepContext("run-1", "tester", settings, report)
    small = {"trainers": ["linear"], "n_trials": 1, "n_folds": 2, "refine": False}
    params = validated(
        WORKFLOWS["train"], {"source": "data.csv", "target": "y", "model": "m", **small}
    )

    search(context, params, {})
    register(context, params, {"tags": {"purpose": "test"}})

    with registry_for_a_step(settings) as desk:
        version = desk.store.version("m", 1)
    assert (version.tags["purpose"], version.tags[LEAKS_TAG]) == ("test", '["closed"]')
    (warning,) = version.warnings
    assert warning.startswith("'closed' may leak the target.")
    assert warning.endswith('train without it, by column_types {"closed": "ignore"}.')


def test_names_of_any_length_fit_into_a_tag() -> None:
    tags = leak_tags([f"{'é' * 200} {n}" for n in range(30)])

    assert len(tags[LEAKS_TAG]) <= leaks.MOST_CHARACTERS
    assert len(leak_warnings(tags)) == 3
    assert len(leak_warnings(leak_tags(list("abcdefghijklmno")))) == leaks.MOST_NAMED
    assert leak_tags(()) == {}


@pytest.mark.parametrize("value", ["", "no JSON", '"closed"', "[1, null]", "{}", "[[]]"])
def test_a_tag_that_holds_no_names_says_nothing(value: str) -> None:
    assert leak_warnings({LEAKS_TAG: value}) == ()


def test_the_example_holds() -> None:
    ran = doctest.testmod(leaks)
    assert (ran.failed, ran.attempted) == (0, 1)
