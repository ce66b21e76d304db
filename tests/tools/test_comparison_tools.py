"""Baselines, data quality and performance, through the client."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mcp.client import Client
from mcp.types import ImageContent, TextContent
from scipy.special import expit
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.orchestration import samples
from ml_orchestrator.settings import Settings

ME = "data-pipeline-specialist"


def client(tmp_path: Path) -> Any:
    return Client(build_server(Settings.read({}, project_dir=tmp_path)))


def visits(path: Path, seed: int, *, shift: float = 0.0, n: int = 600) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {"age": rng.normal(40 + shift, 10, n), "city": rng.choice(["Rome", "Oslo"], n)}
    )
    frame.write_csv(path)


async def test_a_baseline_is_kept_compared_with_and_held_against(tmp_path: Path) -> None:
    visits(tmp_path / "then.csv", 1)
    visits(tmp_path / "now.csv", 2, shift=60, n=300)
    async with client(tmp_path) as c:
        saved = await ask(c, "baseline_save", agent=ME, name="visits", source="then.csv")
        (tmp_path / "then.csv").unlink()
        drift = await ask(c, "drift_check", reference=saved["reference"], current="now.csv")
        joint = await ask(
            c, "drift_check", reference=saved["reference"], current="now.csv", together="mmd"
        )
        profile = await ask(c, "dataset_profile", source="now.csv", baseline="visits")

    assert (saved["reference"], saved["n_rows"], saved["n_columns"]) == ("baseline:visits", 600, 2)
    assert drift["drifted_columns"] == ["age"]
    assert joint["together"]["is_drifted"]
    assert [(f["check"], f["column"]) for f in profile["quality"]["findings"]] == [("range", "age")]


async def test_a_baseline_never_changes_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    visits(tmp_path / "then.csv", 1)
    visits(tmp_path / "now.csv", 2)
    async with client(tmp_path) as c:
        await ask(c, "baseline_save", agent=ME, name="visits", source="then.csv")
        taken = await refusal(c, "baseline_save", agent=ME, name="visits", source="now.csv")
        denied = await refusal(
            c, "baseline_save", agent="performance-engineer", name="other", source="now.csv"
        )
        unknown = await refusal(c, "drift_check", reference="baseline:visit", current="now.csv")
        kept = tmp_path / ".ml-orchestrator" / "baselines" / "visits.baseline"
        kept.write_bytes(kept.read_bytes()[:-1] + b"x")
        damaged = await refusal(c, "drift_check", reference="baseline:visits", current="now.csv")

    assert "such as visits-2" in taken
    assert "baseline_save" in denied
    assert "known: visits" in unknown
    assert "damaged" in damaged


def homes(path: Path, seed: int, n: int = 400) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {"zip": 10_000 + rng.integers(0, 4, n), "n": range(n), "size": rng.normal(size=n)}
    )
    frame.write_csv(path)


async def test_columns_are_read_as_a_person_says_in_baselines_and_comparisons(
    tmp_path: Path,
) -> None:
    homes(tmp_path / "then.csv", 1)
    homes(tmp_path / "now.csv", 2)
    types = {"zip": "categorical", "n": "ignore"}
    kept: dict[str, Any] = {"reference": "baseline:homes", "current": "now.csv"}
    async with client(tmp_path) as c:
        saved = await ask(
            c, "baseline_save", agent=ME, name="homes", source="then.csv", column_types=types
        )
        against = await ask(c, "drift_check", **kept, column_types=types)
        files = await ask(
            c, "drift_check", reference="then.csv", current="now.csv", column_types=types
        )
        written = await ask(c, "drift_report", agent=ME, **kept, column_types=types)
        untyped = await refusal(c, "drift_check", **kept, columns=["zip"])
        profile = await ask(
            c, "dataset_profile", source="now.csv", baseline="homes", column_types=types
        )

    assert saved["n_columns"] == 2
    for report in (against, files):
        assert {col["column"]: col["kind"] for col in report["columns"]} == {
            "zip": "categorical",
            "size": "numeric",
        }
    assert against["columns"] == files["columns"]
    assert written["summary"] == against["summary"]
    assert "Column 'zip' held categories or text and now holds numbers" in untyped
    assert "column_types" in untyped
    assert profile["quality"]["findings"] == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"current": {"zip": [1.0, 2.0]}}, "a sample was given as columns"),
        ({"reference": {"zip": [1.0, 2.0]}}, "a sample was given as columns"),
        (
            {"reference": "baseline:homes", "current": "baseline:homes"},
            "both samples are baselines",
        ),
        ({"column_types": {"zap": "ignore"}}, "'zap'"),
    ],
)
async def test_types_that_would_be_read_nowhere_are_refused(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    homes(tmp_path / "then.csv", 1)
    arguments = {
        "reference": "then.csv",
        "current": "then.csv",
        "column_types": {"zip": "categorical"},
        **change,
    }
    async with client(tmp_path) as c:
        assert complaint in await refusal(c, "drift_check", **arguments)


async def test_a_time_column_of_text_is_refused_with_a_text_of_it(tmp_path: Path) -> None:
    sample = {"at": [None, "soon", "late"], "n": [1.0, 2.0, 3.0]}
    async with client(tmp_path) as c:
        said = await refusal(c, "drift_check", reference=sample, current=sample, time_column="at")
    assert "'at' holds text such as 'soon'" in said


async def test_a_baseline_of_some_columns_says_nothing_of_the_others(tmp_path: Path) -> None:
    homes(tmp_path / "then.csv", 1)
    homes(tmp_path / "now.csv", 2)
    wider = pl.read_csv(tmp_path / "now.csv").with_columns(more=pl.lit(1.0))
    wider.write_csv(tmp_path / "wider.csv")
    async with client(tmp_path) as c:
        await ask(c, "baseline_save", agent=ME, name="all", source="then.csv")
        await ask(
            c, "baseline_save", agent=ME, name="part", source="then.csv", columns=["zip", "size"]
        )
        unknown = await refusal(
            c, "baseline_save", agent=ME, name="odd", source="then.csv", columns=["zap"]
        )
        of_all, of_part = [
            await ask(c, "dataset_profile", source="wider.csv", baseline=name)
            for name in ("all", "part")
        ]
        ageless = await refusal(c, "dataset_profile", source="now.csv", max_age_hours=1)

    assert [(f["check"], f["column"]) for f in of_all["quality"]["findings"]] == [
        ("schema", "more")
    ]
    assert of_part["quality"]["findings"] == []
    assert "did you mean 'zip'?" in unknown
    assert "baseline" in ageless


async def test_a_profile_against_a_baseline_reads_its_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes(tmp_path / "then.csv", 1)
    read: list[str] = []

    def counted(source: str, **options: Any) -> Any:
        read.append(source)
        return load_dataset(source, **options)

    async with client(tmp_path) as c:
        await ask(c, "baseline_save", agent=ME, name="homes", source="then.csv")
        monkeypatch.setattr(samples, "load_dataset", counted)
        await ask(c, "dataset_profile", source="then.csv", baseline="baseline:homes")

    assert read == ["then.csv"]


def predictions(path: Path, seed: int, *, slope: float, n: int, with_labels: bool = True) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    frame = pl.DataFrame(
        {
            "day": pl.Series([i // 400 for i in range(n)]).cast(pl.Int32).cast(pl.Date),
            "bought": np.where(rng.uniform(size=n) < expit(slope * x), "yes", "no"),
            "p": expit(2 * x),
            "x": x,
        }
    )
    (frame if with_labels else frame.drop("bought")).write_parquet(path)


@pytest.mark.parametrize("with_labels", [True, False])
async def test_a_model_that_became_worse_is_seen_by_labels_alone(
    tmp_path: Path, with_labels: bool
) -> None:
    predictions(tmp_path / "then.parquet", 1, slope=2, n=2_000)
    predictions(tmp_path / "now.parquet", 2, slope=0, n=1_200, with_labels=with_labels)
    arguments = {
        "reference": "then.parquet",
        "current": "now.parquet",
        "target": "bought",
        "probabilities": {"yes": "p"},
        "time_column": "day",
        "chunk": "1d",
        "with_plot": True,
    }
    async with client(tmp_path) as c:
        result = await c.call_tool("performance_check", arguments)
        wrong = await refusal(c, "performance_check", **{**arguments, "time_column": "dya"})

    assert not result.is_error, result.content
    report = result.structured_content
    assert report is not None
    assert (report["is_worse"], report["since"]) == (
        (with_labels, "1970-01-01" if with_labels else None)
    )
    assert [chunk["n_rows"] for chunk in report["chunks"]] == [400, 400, 400]
    assert "concept drift" in report["assumption"]
    assert [type(part) for part in result.content] == [TextContent, ImageContent]
    assert "'dya'" in wrong


async def test_rows_without_a_target_are_told_of_both_sides_in_one_sentence_each(
    tmp_path: Path,
) -> None:
    for name, n_lost in (("then", 60), ("now", 1_100)):
        path = tmp_path / f"{name}.parquet"
        predictions(path, 3, slope=2, n=1_200)
        frame = pl.read_parquet(path).with_row_index("row")
        bought = pl.when(pl.col("row") < n_lost).then(None).otherwise(pl.col("bought"))
        frame.with_columns(bought.alias("bought")).drop("row").write_parquet(path)
    given = {"reference": "then.parquet", "target": "bought", "probabilities": {"yes": "p"}}
    async with client(tmp_path) as c:
        report = await ask(c, "performance_check", current="now.parquet", **given)
        predictions(tmp_path / "now.parquet", 2, slope=2, n=1_200, with_labels=False)
        estimated = await ask(c, "performance_check", current="now.parquet", **given)

    of_reference = "60 rows without 'bought' are left out of the reference."
    of_now = "1,100 rows without 'bought' are left out of what is measured."
    assert report["notices"] == [of_reference, of_now]
    assert estimated["notices"] == [of_reference]
