"""The example package, built and installed as a person would, and used through MCP."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from tests.tools.asking import ask, refusal
from tests.tools.test_stdio import server

EXAMPLE = Path(__file__).parents[1] / "examples" / "extension"
LIMIT_S = 180.0
TYPE = "ml_orchestrator_example.clipped_line.ClippedLine"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example into a folder of its own, from its sources and offline."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)),
            str(EXAMPLE),
        ],
        check=True,
        capture_output=True,
        timeout=LIMIT_S,
    )
    return target


TRAINING: dict[str, Any] = {
    "agent": "ml-orchestrator",
    "source": "builtin:friedman1",
    "model": "clipped",
    "trainers": ["clipped_line"],
    "n_trials": 2,
    "n_folds": 2,
    "refine": False,
}


async def test_its_drift_test_and_its_rule_are_used_and_its_types_need_an_operator(
    tmp_path: Path, installed: Path
) -> None:
    calm = [float(n % 21 - 10) for n in range(400)]
    wide = [3 * value for value in calm]
    prompt = "Summarise the incident report below for the team on call.\n\n{report}"
    with anyio.fail_after(LIMIT_S):
        async with Client(server(tmp_path, PYTHONPATH=str(installed))) as client:
            health = await ask(client, "health_get")
            drift = await ask(
                client,
                "drift_check",
                reference={"x": calm},
                current={"x": wide},
                test="mood",
            )
            improved = await ask(client, "prompt_improve", prompt=prompt, rules=["show_evidence"])
            refused = await refusal(client, "training_start", **TRAINING)
            unknown = await refusal(
                client, "drift_check", reference={"x": calm}, current={"x": wide}, test="mod"
            )

    states = {c["name"]: c["state"] for c in health["components"] if c["kind"] == "extension"}
    assert states == dict.fromkeys(
        ("trainers:clipped_line", "drift_tests:mood", "rules:show_evidence"), "discovered"
    )
    (column,) = drift["columns"]
    assert (column["test"], column["is_drifted"]) == ("mood", True)
    assert [each["rule"] for each in improved["applied"]] == ["show_evidence"]
    assert improved["text"] == f"{prompt}\n\nQuote the sentence that each statement rests on.\n"
    assert f"ML_ORCHESTRATOR_TRUSTED_TYPES={TYPE}" in refused
    assert "known: " in unknown
    assert "mood" in unknown


async def test_its_trainer_trains_a_version_that_is_registered_and_predicts(
    tmp_path: Path, installed: Path
) -> None:
    allowed = server(tmp_path, PYTHONPATH=str(installed), ML_ORCHESTRATOR_TRUSTED_TYPES=TYPE)
    with anyio.fail_after(LIMIT_S):
        async with Client(allowed) as client:
            run = await ask(client, "training_start", **TRAINING)
            while run["state"] in ("queued", "running"):
                run = await ask(client, "training_status", run_id=run["run_id"], wait_s=20.0)
            assert run["state"] == "succeeded", run["error"]
            version = run["result"]["version"]
            report = await ask(client, "registry_verify", model="clipped", version=version)
            health = await ask(client, "health_get")

    assert run["result"]["summary"]["trainer"] == "clipped_line"
    assert report["ok"]
    found = {c["name"]: c for c in health["components"]}["trainers:clipped_line"]
    assert (found["state"], found["tier"], found["kind"]) == ("loaded", 1, "extension")
