"""The login in an address stays in the environment: no answer, log or file repeats it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from tests.tools.asking import ask

SECRET = "correct-horse"
COMMAND = ["-m", "ml_orchestrator", "mcp"]
LIMIT_S = 300.0  # a worker trains in it, on a busy machine, too


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "ML_ORCHESTRATOR_WORKER_IDLE_S": "2", **more}


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"])
def test_a_server_does_not_start_with_the_login_of_an_mlflow_server_in_its_address(
    tmp_path: Path, variable: str
) -> None:
    done = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=tmp_path,
        env=environment(**{variable: f"http://me:{SECRET}@127.0.0.1:1"}),
        capture_output=True,
        text=True,
        input="",
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode != 0
    assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert places_of_the_secret(tmp_path) == []


async def test_what_mlflow_says_of_an_address_is_told_and_kept_without_its_login(
    tmp_path: Path,
) -> None:
    # MLflow 3.17 quotes the address of a database with two drivers whole.
    uri = f"postgresql+one+two://me:{SECRET}@127.0.0.1:1/ml?password={SECRET}"
    (tmp_path / "data.csv").write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(200)))
    parameters = StdioServerParameters(
        command=sys.executable,
        args=COMMAND,
        cwd=tmp_path,
        env=environment(MLFLOW_TRACKING_URI=uri),
    )
    said: list[str] = []
    with (tmp_path / "stderr").open("w") as log, anyio.fail_after(LIMIT_S):
        async with Client(stdio_client(parameters, errlog=log)) as client:
            said.append(str(await client.call_tool("registry_list", {})))
            said.append(str(await ask(client, "health_get", detail="detailed")))
            status = await trained(client)
            said.append(str(status))

    assert status["state"] == "failed"
    assert "postgresql+one+two://***@127.0.0.1:1/ml?password=***" in said[0]
    assert not [text for text in said if SECRET in text]
    assert list((tmp_path / ".ml-orchestrator" / "logs").iterdir())
    assert places_of_the_secret(tmp_path) == []


async def trained(client: Client) -> dict[str, Any]:
    """Return how a small training ends."""
    status = await ask(
        client,
        "training_start",
        agent="ml-orchestrator",
        source="data.csv",
        target="b",
        model="m",
        trainers=["linear"],
        n_trials=1,
        n_folds=2,
    )
    while status["state"] in ("queued", "running"):
        status = await ask(client, "training_status", run_id=status["run_id"], wait_s=20.0)
    return status


def places_of_the_secret(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if SECRET.encode() in path.read_bytes()]
