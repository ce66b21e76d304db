"""A drift report over time, as a page and from a file larger than may be read whole."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from mcp.client import Client
from mcp.types import ImageContent
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

ME = "data-pipeline-specialist"
HOSTILE = "<script>alert(1)</script>"
N = 900


def client(tmp_path: Path, **options: Any) -> Any:
    return Client(build_server(Settings.read({}, project_dir=tmp_path, **options)))


def write(path: Path, *, moves_at: int | None, n: int = N) -> None:
    rng = np.random.default_rng(n + (moves_at or 0))
    load = rng.normal(size=n)
    if moves_at is not None:
        load[moves_at:] += 2
    days = pl.Series([i * 30 // n for i in range(n)]).cast(pl.Int32).cast(pl.Date)
    pl.DataFrame({"day": days, HOSTILE: load, "still": rng.normal(size=n)}).write_csv(path)


def read_page(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


async def test_the_onset_is_found_drawn_and_written_as_one_page(tmp_path: Path) -> None:
    write(tmp_path / "then.csv", moves_at=None)
    write(tmp_path / "now.csv", moves_at=600)
    arguments = {
        "reference": "then.csv",
        "current": "now.csv",
        "time_column": "day",
        "chunk": "5d",
    }
    async with client(tmp_path) as c:
        result = await c.call_tool("drift_check", {**arguments, "with_plot": True})
        assert not (tmp_path / ".ml-orchestrator" / "reports").exists()
        written = await ask(c, "drift_report", agent=ME, **arguments)
        joint = await ask(c, "drift_report", agent=ME, **arguments, together="pca")
        denied = await refusal(c, "drift_report", agent="performance-engineer", **arguments)
    async with client(tmp_path, mode="read-only") as c:
        offered = {tool.name for tool in (await c.list_tools()).tools}

    assert not result.is_error, result.content
    report = result.structured_content
    assert report is not None
    assert report["over_time"]["columns_since"] == {HOSTILE: "1970-01-21"}
    assert "which began at 1970-01-21" in report["next_steps"][0]
    assert sum(isinstance(part, ImageContent) for part in result.content) == 2
    assert {key: report[key] for key in ("is_drifted", "summary")} == {
        key: written[key] for key in ("is_drifted", "summary")
    }
    page = read_page(written["page"])
    parser = _Addresses()
    parser.feed(page)
    assert [address[:22] for address in parser.found] == ["data:image/png;base64,"] * 2
    assert parser.tags.count("script") == 1
    assert "default-src 'none'" in page
    found = re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.S)
    assert found is not None
    assert json.loads(found[1]) == report
    assert "(pca: " in joint["summary"]
    assert "<h2>All columns together</h2>" in read_page(joint["page"])
    assert "data-pipeline-specialist, ml-orchestrator may" in denied
    assert "drift_report" not in offered


async def test_a_file_larger_than_may_be_read_is_sampled_and_says_so(tmp_path: Path) -> None:
    write(tmp_path / "then.csv", moves_at=None, n=3_000)
    write(tmp_path / "now.csv", moves_at=0, n=9_000)
    async with client(tmp_path, max_data_bytes=100_000) as c:
        report = await ask(c, "drift_check", reference="then.csv", current="now.csv")

    assert HOSTILE in report["drifted_columns"]
    assert any("of its 9,000 rows, drawn at random" in notice for notice in report["notices"])
