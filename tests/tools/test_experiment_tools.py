"""Experiments through the client: files, columns, counts, plans, pictures, refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from mcp.client import Client
from mcp.types import ImageContent
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

TOOL = "experiment_evaluate"


def client(tmp_path: Path) -> Any:
    return Client(build_server(Settings.read({}, project_dir=tmp_path)))


def write_trial(path: Path, effect: float, n: int = 1_200) -> None:
    """Write one row an answer: which prompt made it, when, and whether it was accepted."""
    rng = np.random.default_rng(0)
    prompt = rng.permutation(np.repeat(["old", "new"], n))
    accepted = rng.random(2 * n) < np.where(prompt == "new", 0.4 + effect, 0.4)
    at = pl.datetime_range(
        pl.datetime(2026, 1, 1), pl.datetime(2026, 2, 1), "10m", eager=True
    ).head(2 * n)
    frame = pl.DataFrame({"prompt": prompt, "accepted": accepted.astype(int), "at": at})
    frame.write_csv(path)


async def test_a_file_is_judged_by_what_it_holds_and_drawn(tmp_path: Path) -> None:
    write_trial(tmp_path / "better.csv", 0.15)
    write_trial(tmp_path / "same.csv", 0.0)
    given = {
        "columns": {"arm": "prompt", "outcome": "accepted", "time": "at"},
        "plan": {"control": "old"},
    }
    async with client(tmp_path) as c:
        better = await ask(c, TOOL, source="better.csv", **given, level="L1")
        same = await ask(c, TOOL, source="same.csv", **given)
        drawn = await c.call_tool(
            TOOL, {"source": "better.csv", **given, "is_monitored": True, "with_plot": True}
        )

    assert (better["decision"], better["best_arm"], better["level"]) == ("b_better", "new", "L1")
    assert better["over_time"][0]["start"] == "2026-01-01T00:00:00+00:00"
    assert same["decision"] == "no_difference_shown"
    _, *pictures = drawn.content
    assert drawn.structured_content["decision"] == "b_better"
    assert drawn.structured_content["method"] == "msprt"
    (picture,) = pictures
    assert isinstance(picture, ImageContent)
    assert picture.mime_type == "image/png"


async def test_columns_and_counts_in_the_call_give_the_same(tmp_path: Path) -> None:
    rows = {"arm": ["a"] * 100 + ["b"] * 100, "won": [1.0] * 30 + [0.0] * 70 + [1.0] * 55
            + [0.0] * 45}  # fmt: skip
    counts = {"a": {"n": 100, "successes": 30}, "b": {"n": 100, "successes": 55}}
    async with client(tmp_path) as c:
        by_rows = await ask(c, TOOL, source=rows, columns={"arm": "arm", "outcome": "won"})
        by_counts = await ask(c, TOOL, source=counts, level="L2")

    assert by_rows["decision"] == "b_better"
    assert by_rows["comparisons"] == by_counts["comparisons"]
    assert any("tasks unlike those of the metric" in said for said in by_counts["may_not_conclude"])


async def test_without_data_an_experiment_is_planned(tmp_path: Path) -> None:
    async with client(tmp_path) as c:
        planned = await ask(c, TOOL, plan={"baseline": 0.3, "effect": 0.05, "n_per_arm": 800})
        lacking = await refusal(c, TOOL)

    assert (planned["decision"], planned["plan"]["n_fixed"]) == ("planned", 1_377)
    assert planned["plan"]["detectable_effect"] > 0.05
    assert "give plan with baseline" in lacking


async def test_what_must_not_be_done_is_refused_with_what_to_do(tmp_path: Path) -> None:
    counts = {"a": {"n": 100, "successes": 30}, "b": {"n": 100, "successes": 55}}
    async with client(tmp_path) as c:
        peeking = await refusal(c, TOOL, source=counts, plan={"method": "bayes"}, is_monitored=True)
        mixed = await refusal(c, TOOL, source={**counts, "c": [1.0]})
        uneven = await refusal(
            c,
            TOOL,
            source={"arm": ["a", "b"], "won": [1.0]},
            columns={"arm": "arm", "outcome": "won"},
        )
        unknown = await refusal(c, TOOL, plan={"efect": 0.1})

    assert "choose auto, msprt or betting" in peeking
    assert "Give columns as lists of numbers" in mixed
    assert "equally long" in uneven
    assert "plan has no 'efect'" in unknown
