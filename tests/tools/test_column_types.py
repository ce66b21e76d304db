"""Columns read as a person says, from the tools to what is trained on."""

from pathlib import Path

import polars as pl
import pytest
from mcp import Client
from tests.tools.asking import ask

from ml_orchestrator.app import build_server
from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.orchestration.checks import check_training
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.meta_features import meta_features_of
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.table import prepare_table


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project with a table whose ``zip`` is a label and whose ``answer`` is the target."""
    frame = pl.DataFrame(
        {
            "zip": [10_000 + i % 6 for i in range(120)],
            "size": [float(i * 7 % 31) for i in range(120)],
            "answer": ["yes" if i % 3 else "no" for i in range(120)],
        }
    )
    frame.write_csv(tmp_path / "homes.csv")
    return Settings.read({}, project_dir=tmp_path)


async def test_the_profile_describes_columns_as_they_are_read(settings: Settings) -> None:
    types = {"zip": "categorical", "size": "ignore"}
    async with Client(build_server(settings)) as client:
        profile = await ask(
            client, "dataset_profile", source="homes.csv", target="answer", column_types=types
        )
        refused = await client.call_tool(
            "dataset_profile", {"source": "homes.csv", "column_types": {"answer": "numeric"}}
        )

    kinds = {column["name"]: column["kind"] for column in profile["columns"]}
    assert kinds == {"zip": "categorical", "answer": "categorical"}
    assert profile["meta_features"]["categorical_share"] == 1
    assert refused.is_error
    assert "row 1 of 120 holds 'no'" in refused.content[0].text  # type: ignore[union-attr]


def test_training_takes_columns_as_they_are_read(settings: Settings) -> None:
    types = {"zip": "categorical", "size": "ignore", "answer": "boolean"}
    spec = TrainingSpec(source="homes.csv", target="answer", column_types=types)

    check_training(settings, spec.model_dump())
    dataset = load_dataset(
        spec.source, roots=settings.roots, max_bytes=10**6, column_types=spec.column_types
    )
    table = prepare_table(spec, dataset)

    assert table.kinds.names == ("zip",)
    assert table.kinds.categorical == ("zip",)
    assert table.classes == ("False", "True")


def test_a_profile_without_a_target_has_no_meta_features(settings: Settings) -> None:
    dataset = load_dataset("homes.csv", roots=settings.roots, max_bytes=10**6)
    assert meta_features_of(dataset, None) == {}
    assert meta_features_of(dataset, "answer")["log10_columns"] == pytest.approx(0.30103)
