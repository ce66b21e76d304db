"""Patterns through the client: files, columns, pictures, refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from mcp.client import Client
from mcp.types import ImageContent
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

TOOL = "patterns_discover"


def client(tmp_path: Path, **options: Any) -> Any:
    return Client(build_server(Settings.read({}, project_dir=tmp_path, **options)))


def answers(n: int = 3_000) -> pl.DataFrame:
    """Return one row an answer: which parts its prompt had, what was done, whether it helped."""
    rng = np.random.default_rng(0)
    role, example = rng.random(n) < 0.5, rng.random(n) < 0.5
    tone = rng.choice(["dry", "warm", "terse"], n)
    steps = [["read", "write"] if rng.random() < 0.5 else ["write", "read"] for _ in range(n)]
    is_read_first = np.array([events[0] == "read" for events in steps])
    chances = 0.3 + 0.3 * (role & example) + 0.2 * is_read_first
    return pl.DataFrame(
        {
            "has_role": role,
            "has_example": example,
            "tone": tone,
            "n_words": rng.integers(5, 500, n),
            "steps": steps,
            "user": rng.integers(0, 400, n),
            "accepted": rng.random(n) < chances,
        }
    )


async def test_patterns_of_a_file_are_found_told_and_drawn(tmp_path: Path) -> None:
    answers().write_parquet(tmp_path / "answers.parquet")
    arguments = {
        "source": "answers.parquet",
        "outcome": "accepted",
        "sequence": "steps",
        "group": "user",
    }
    async with client(tmp_path, mode="read-only") as c:
        result = await c.call_tool(TOOL, {**arguments, "with_plot": True})

    assert not result.is_error, result.content
    report = result.structured_content
    assert report is not None
    held = {p["pattern"]: p for p in report["patterns"] if p["status"] == "replicated"}
    assert "has_role & has_example" in held
    assert {"read > write", "write > read"} & set(held)
    assert held["has_role & has_example"]["replication"]["low"] > 0.1
    assert report["level"] == "L1"
    assert report["n_cases"] == sum(report["n_parts"]) == 3_000
    assert "has_role & has_example" in held["has_role & has_example"]["summary"]
    (picture,) = [part for part in result.content if isinstance(part, ImageContent)]
    assert picture.mime_type == "image/png"


async def test_events_are_lists_in_a_file_or_texts_in_a_file_and_in_the_call(
    tmp_path: Path,
) -> None:
    table = answers(1_500).select("steps", "accepted")
    lists = {name: table[name].to_list() for name in table.columns}
    texts = {
        "steps": [" > ".join(events) for events in lists["steps"]],
        "accepted": [_plain(value) for value in lists["accepted"]],
    }
    table.write_ndjson(tmp_path / "lists.jsonl")
    async with client(tmp_path) as c:
        asked = {"outcome": "accepted", "sequence": "steps"}
        of_texts = await ask(c, TOOL, source=texts, **asked)
        of_lists = await ask(c, TOOL, source="lists.jsonl", **asked)
        refused = await refusal(c, TOOL, source=lists, **asked)

    assert of_lists["patterns"] == of_texts["patterns"]
    assert {p["kind"] for p in of_lists["patterns"]} == {"sequence"}
    assert "valid string" in refused


async def test_columns_of_the_call_are_searched_and_what_is_wrong_is_refused(
    tmp_path: Path,
) -> None:
    table = answers(1_500).drop("steps", "user")
    columns = {name: [_plain(v) for v in table[name].to_list()] for name in table.columns}
    async with client(tmp_path) as c:
        report = await ask(c, TOOL, source=columns, outcome="accepted", features=["has_role"])
        unknown = await refusal(c, TOOL, source=columns, outcome="acepted")
        ragged = await refusal(c, TOOL, source={**columns, "tone": ["dry"]}, outcome="accepted")
        outside = await refusal(c, TOOL, source="/etc/passwd", outcome="x")

    assert report["n_features"] == 1
    assert [p["pattern"] for p in report["patterns"]] == ["has_role"]
    assert "did you mean 'accepted'?" in unknown
    assert "one value a case" in ragged
    assert "/etc/passwd" in outside


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


async def test_a_column_of_dates_is_refused_as_outcome(tmp_path: Path) -> None:
    days = pl.Series("day", range(3_000)).cast(pl.Date)
    answers().with_columns(days).drop("steps").write_parquet(tmp_path / "answers.parquet")
    async with client(tmp_path) as c:
        told = await refusal(c, TOOL, source="answers.parquet", outcome="day")
    assert "holds dates or times" in told
