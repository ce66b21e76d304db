"""Servers as clients start them: processes that speak over standard input and output."""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from mcp import Client, StdioServerParameters
from tests.tools.asking import ask

LIMIT_S = 120.0


def server(folder: Path, **environment: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "ml_orchestrator", "mcp"],
        cwd=folder,
        env={
            "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR",
            "ML_ORCHESTRATOR_WORKER_IDLE_S": "2",
            "PATH": os.environ["PATH"],
            **environment,
        },
    )


async def test_two_servers_started_together_on_a_fresh_directory_both_work(tmp_path: Path) -> None:
    seen: dict[str, dict[str, Any]] = {}

    async def work(name: str) -> None:
        async with Client(server(tmp_path)) as client:
            task = {"task_description": name, "outcome": "success"}
            await ask(client, "memory_save", agent=name, task=task)
            await ask(client, "registry_list")
            seen[name] = await ask(client, "health_get", detail="detailed")

    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as together:
            together.start_soon(work, "first-agent")
            together.start_soon(work, "second-agent")

    assert {name: report["status"] for name, report in seen.items()} == {
        "first-agent": "healthy",
        "second-agent": "healthy",
    }
    async with Client(server(tmp_path)) as client:
        for name in seen:
            assert (await ask(client, "memory_load", agent=name))["memory"]["n_tasks"] == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_that_the_client_gives_up_leaves_the_server_well(
    tmp_path: Path, mode: Any
) -> None:
    async with Client(server(tmp_path), mode=mode) as client:
        started = await ask(
            client,
            "training_start",
            agent="ml-orchestrator",
            source="builtin:friedman1",
            model="never",
            n_trials=1_000,
            timeout_s=3_600.0,
        )
        with anyio.move_on_after(0.5) as gave_up:
            await ask(client, "training_status", run_id=started["run_id"], wait_s=50.0)
        assert gave_up.cancelled_caught
        with anyio.fail_after(LIMIT_S):
            loaded = await ask(client, "memory_load", agent="ml-orchestrator")
            status = await ask(
                client, "training_cancel", agent="ml-orchestrator", run_id=started["run_id"]
            )

    assert loaded["memory"]["n_tasks"] == 0
    assert status["state"] == "cancelled"


async def test_the_environment_of_the_client_does_not_reach_the_worker(tmp_path: Path) -> None:
    async with Client(server(tmp_path, ANTHROPIC_API_KEY="secret")) as client:
        started = await ask(
            client,
            "training_start",
            agent="ml-orchestrator",
            source="builtin:friedman1",
            model="never",
            n_trials=1_000,
            timeout_s=3_600.0,
        )
        with anyio.fail_after(LIMIT_S):
            while not (workers := _workers(tmp_path)):  # noqa: ASYNC110 another process
                await anyio.sleep(0.1)
        environments = [psutil.Process(pid).environ() for pid in workers]
        await ask(client, "training_cancel", agent="ml-orchestrator", run_id=started["run_id"])

    assert all("ANTHROPIC_API_KEY" not in environment for environment in environments)
    for pid in workers:
        psutil.Process(pid).kill()


def _workers(folder: Path) -> list[int]:
    home = str(folder / ".ml-orchestrator")
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [])[-1:] == ["worker"]
        and process.environ().get("ML_ORCHESTRATOR_HOME") == home
    ]
