"""Drift and health, through the client."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp.client import Client
from mcp.types import ImageContent, TextContent

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings


def server(tmp_path: Path) -> Any:
    return build_server(Settings.read({}, project_dir=tmp_path))


async def drift(client: Client, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool("drift_check", arguments)
    assert not result.is_error, result.content
    content: dict[str, Any] | None = result.structured_content
    assert content is not None
    return content


def columns(seed: int, shift: float = 0.0, n: int = 300) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {
        "steady": rng.normal(size=n).tolist(),
        "moving": (rng.normal(size=n) + shift).tolist(),
    }


async def test_the_shifted_column_is_named_and_the_steady_one_is_not(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        report = await drift(client, reference=columns(1), current=columns(2, shift=1.0))

    assert [c["column"] for c in report["columns"] if c["is_drifted"]] == ["moving"]


async def test_samples_of_one_distribution_do_not_drift(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        report = await drift(client, reference=columns(1), current=columns(2))

    assert not report["is_drifted"]
    assert not any(c["is_drifted"] for c in report["columns"])


async def test_columns_that_cannot_be_compared_do_not_stop_the_others(tmp_path: Path) -> None:
    reference = {**columns(1), "plan": ["a", "b"] * 150, "gone": [1.0] * 300}
    current = {**columns(2, shift=1.0), "plan": [1.0] * 300}
    async with Client(server(tmp_path)) as client:
        report = await drift(client, reference=reference, current=current, with_plot=True)

    assert [(c["column"], c["change"]) for c in report["schema_changes"]] == [
        ("plan", "retyped"),
        ("gone", "gone"),
    ]
    assert report["drifted_columns"] == ["plan", "gone", "moving"]
    assert report["is_drifted"]
    assert report["next_steps"][0] == "Mend the feed, or its schema: 'plan', 'gone'."


def related(seed: int, slope: float, n: int = 400) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    load, noise = rng.normal(size=(2, n))
    heat = slope * load + np.sqrt(1 - slope**2) * noise
    return {"load": load.tolist(), "heat": heat.tolist()}


@pytest.mark.parametrize("test", ["domain_classifier", "mmd", "pca"])
async def test_a_broken_relation_is_seen_when_columns_are_tested_together(
    tmp_path: Path, test: str
) -> None:
    async with Client(server(tmp_path)) as client:
        report = await drift(
            client, reference=related(1, 0.9), current=related(2, -0.9), together=test
        )

    assert report["drifted_columns"] == []
    assert (report["together"]["test"], report["together"]["is_drifted"]) == (test, True)
    assert (report["is_drifted"], report["is_any_column_drifted"]) == (True, False)
    said = "The data drifted, as all columns together show; 0 of 2 columns did by themselves. "
    assert report["summary"] == said + report["together"]["summary"]


async def test_columns_and_all_together_have_half_of_alpha_each(tmp_path: Path) -> None:
    samples = {"reference": related(1, 0.9), "current": related(2, 0.9), "alpha": 0.04}
    async with Client(server(tmp_path)) as client:
        apart = await drift(client, **samples)
        report = await drift(client, **samples, together="pca")

    assert (apart["alpha"], report["alpha"]) == (0.04, 0.02)
    assert "alpha 0.02" in report["together"]["summary"]


async def test_files_and_built_in_data_are_compared_and_shown(tmp_path: Path) -> None:
    (tmp_path / "now.csv").write_text(
        "alcohol\n" + "\n".join(str(v) for v in np.linspace(20, 30, 200)), encoding="utf-8"
    )
    async with Client(server(tmp_path)) as client:
        result = await client.call_tool(
            "drift_check",
            {
                "reference": "builtin:wine",
                "current": "now.csv",
                "columns": ["alcohol"],
                "with_plot": True,
            },
        )

    assert not result.is_error, result.content
    assert result.structured_content is not None
    assert result.structured_content["is_drifted"]
    (picture,) = [part for part in result.content if isinstance(part, ImageContent)]
    assert base64.b64decode(picture.data).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"current": {"other": [1.0, 2.0]}}, "other"),
        ({"current": "missing.csv"}, "missing.csv"),
        ({"current": "../outside.csv"}, "outside"),
        ({"current": "/etc/passwd"}, "/etc/passwd"),
        ({"current": "http://127.0.0.1/x.csv"}, "http"),
        ({"columns": ["ghost"]}, "ghost"),
        ({"current": {"moving": ["a", 1.0], "steady": [1.0, 2.0]}}, "moving"),
        ({"test": "magic"}, "'magic'; known: anderson_darling"),
        ({"alpha": 2.0}, "'alpha'"),
    ],
)
async def test_bad_input_is_refused_and_named(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    arguments = {"reference": columns(1), "current": columns(2), **change}
    async with Client(server(tmp_path)) as client:
        result = await client.call_tool("drift_check", arguments)

    assert result.is_error
    first = result.content[0]
    assert isinstance(first, TextContent)
    assert complaint in first.text
    assert "Error executing tool" not in first.text


async def test_health_is_unknown_until_everything_was_probed(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        first = await client.call_tool("health_get", {})

    assert first.structured_content is not None
    report = first.structured_content
    assert report["status"] == "unknown"
    by_name = {c["name"]: c["state"] for c in report["components"]}
    assert by_name["data-directory"] == "started"
    assert by_name["training"] == "discovered"
    assert {c["tier"] for c in report["components"]} == {1, 2, 3, 4, 5, 6}


async def test_a_broken_data_directory_is_degraded_and_stops_what_needs_it(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory", encoding="utf-8")
    settings = Settings.read({}, project_dir=tmp_path, home=blocked / "home")
    async with Client(build_server(settings)) as client:
        result = await client.call_tool("health_get", {})

    assert result.structured_content is not None
    report = result.structured_content
    assert report["status"] == "degraded"
    states = {c["name"]: c["state"] for c in report["components"]}
    assert states["data-directory"] == "degraded"
    assert states["state-database"] == states["memory"] == "stopped"
