"""The launcher with the real server behind it, driven by the SDK's client in both eras."""

import os
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
AGENT = "ml-orchestrator"


def launcher(folder: Path, **environment: str) -> StdioServerParameters:
    return StdioServerParameters(
        command="python3",
        args=["-I", "-S", str(ROOT / "bin" / "ml-orchestrator-launch")],
        cwd=folder,
        env={"ML_ORCHESTRATOR_LOG_LEVEL": "ERROR", "PATH": os.environ["PATH"], **environment},
    )


def server_process() -> psutil.Process:
    (server,) = [
        process
        for process in psutil.Process().children(recursive=True)
        if process.cmdline()[1:] == ["-P", "-m", "ml_orchestrator", "mcp"]
    ]
    return server


def text_of(result: CallToolResult) -> str:
    (part,) = result.content
    assert isinstance(part, TextContent)
    return part.text


async def n_tasks(client: Client) -> int:
    result = await client.call_tool("memory_load", {"agent": AGENT})
    assert not result.is_error, result.content
    assert result.structured_content
    count: int = result.structured_content["memory"]["n_tasks"]
    return count


@pytest.fixture(autouse=True)
def developers_environment() -> None:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("the plug-in's environment .venv is not there; run `make setup`")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_session_through_the_launcher_is_a_session_with_the_server(
    tmp_path: Path, mode: Any
) -> None:
    with anyio.fail_after(LIMIT_S):
        async with Client(launcher(tmp_path), mode=mode) as client:
            early = await client.list_tools()
            task = {"task_description": "Launched", "outcome": "success"}
            saved = await client.call_tool("memory_save", {"agent": AGENT, "task": task})
            late = await client.list_tools()
            assert not saved.is_error
            assert await n_tasks(client) == 1
            assert early == late


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_crash_is_reported_and_mended_once(tmp_path: Path, mode: Any) -> None:
    refused: list[str] = []
    with anyio.fail_after(LIMIT_S):
        async with Client(launcher(tmp_path), mode=mode) as client:
            for _ in range(2):
                assert await n_tasks(client) == 0
                server_process().suspend()
                async with anyio.create_task_group() as group:
                    group.start_soon(_call_into, client, refused)
                    await anyio.wait_all_tasks_blocked()
                    server_process().kill()
            await _call_into(client, refused)

    first, second, third = refused
    assert "killed by SIGKILL" in first
    assert "It is being started again" in first
    assert "not started any more" in second
    assert third == second


async def _call_into(client: Client, refused: list[str]) -> None:
    result = await client.call_tool("memory_load", {"agent": AGENT})
    assert result.is_error
    refused.append(text_of(result))


async def test_files_of_the_project_are_no_modules_of_the_server(tmp_path: Path) -> None:
    for name in ("anyio", "sqlalchemy", "ml_orchestrator"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of the project ran')")
    with anyio.fail_after(LIMIT_S):
        async with Client(launcher(tmp_path)) as client:
            assert await n_tasks(client) == 0


async def test_a_server_that_cannot_start_says_why_to_the_caller(tmp_path: Path) -> None:
    with anyio.fail_after(LIMIT_S):
        async with Client(launcher(tmp_path, ML_ORCHESTRATOR_LEASE_TTL_S="no")) as client:
            result = await client.call_tool("memory_load", {"agent": AGENT})

    assert result.is_error
    assert "ML_ORCHESTRATOR_LEASE_TTL_S" in text_of(result)


async def test_when_the_client_leaves_nothing_is_left_running(tmp_path: Path) -> None:
    with anyio.fail_after(LIMIT_S):
        async with Client(launcher(tmp_path)) as client:
            assert await n_tasks(client) == 0
            started = psutil.Process().children(recursive=True)

    _, alive = psutil.wait_procs(started, timeout=LIMIT_S)
    assert alive == []
