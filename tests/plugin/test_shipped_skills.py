"""The skills that ship: no faults, and what they say the tests run does run."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mcp.client import Client
from tests.plugin.lint_agents import AGENTS
from tests.plugin.lint_skills import SKILLS, lint_folders, rests_on_tests
from tests.plugin.skill_files import Block, ToolCall, read_calls, read_skills

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

LIMIT_S = 120.0
SHIPPED = read_skills(SKILLS)
# The order in which they would be used on one project; design-pipeline has no calls.
IN_ORDER = (
    "train-model",
    "diagnose-drift",
    "roll-out",
    "cloud-platforms",
    "compress-model",
    "improve-prompts",
)


def run_blocks(skill: str, kind: str) -> list[Block]:
    return [b for b in SHIPPED[skill].blocks if b.kind == kind and rests_on_tests(b)]


def write_visits(folder: Path) -> None:
    """Write 400 visits, and 400 of another, older population."""
    folder.mkdir()
    for name, seed, years in (("visits", 1, 0.0), ("visits_today", 2, 12.0)):
        draw = np.random.default_rng(seed)
        age = draw.normal(40 + years, 10, 400)
        plan = draw.choice(["free", "basic", "full"], 400, p=[0.2, 0.5, 0.3])
        saw_doctor = (age - 40) / 10 + (plan == "free") + draw.normal(0, 1, 400) > 0
        columns = {"age": age.round(1), "plan": plan, "visits_before": draw.poisson(2, 400)}
        pl.DataFrame({**columns, "saw_doctor": saw_doctor}).write_csv(folder / f"{name}.csv")


class Reader:
    """Does what a skill says, with the values that earlier calls returned."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._values: dict[str, str] = {}

    async def follow(self, skill: str) -> None:
        for block in run_blocks(skill, "tool"):
            for call in read_calls(block.code):
                await self.make(call)

    async def make(self, call: ToolCall) -> dict[str, Any]:
        """Make a call, again while the run it asks about goes on."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            answer = await self._ask(call)
            if not call.tool.endswith("_status") or answer["state"] not in ("queued", "running"):
                break
            assert time.monotonic() < deadline, answer
        if call.tool.endswith("_status"):
            assert answer["state"] == "succeeded", answer["error"]
        return answer

    async def _ask(self, call: ToolCall) -> dict[str, Any]:
        arguments = json.dumps(call.arguments)
        for word, value in self._values.items():
            arguments = arguments.replace(word, value)
        result = await self._client.call_tool(call.tool, json.loads(arguments))
        assert not result.is_error, (call, result.content)
        answer: dict[str, Any] | None = result.structured_content
        assert answer is not None
        if "run_id" in answer:
            self._values["RUN_ID"] = answer["run_id"]
        if "plan" in answer:
            self._values["PLAN_DIGEST"] = answer["plan"]["digest"]
        return answer


def test_the_shipped_skills_and_what_agents_say_of_them_have_no_faults() -> None:
    assert lint_folders(SKILLS, AGENTS) == []


def test_every_skill_that_shows_calls_is_followed_by_a_test() -> None:
    assert sorted(IN_ORDER) == sorted(name for name in SHIPPED if run_blocks(name, "tool"))


async def test_following_the_skills_on_one_project_works_from_training_to_hand_over(
    home: Path,
) -> None:
    write_visits(home.parent / "data")
    settings = Settings.read({}, project_dir=home.parent, home=home, worker_idle_s=2.0)
    async with Client(build_server(settings)) as client:
        reader = Reader(client)
        await reader.follow(IN_ORDER[0])
        first = {"model": "visits", "alias": "champion", "version": 1, "expected_version": None}
        await reader.make(
            ToolCall(
                "registry_move_alias",
                {"agent": "ml-orchestrator", "reason": "the first", **first},
            )
        )
        for skill in IN_ORDER[1:]:
            await reader.follow(skill)
        page = await reader.make(ToolCall("registry_list", {"model": "visits"}))

    assert {v["version"]: v["aliases"] for v in page["versions"]} == {
        1: ["champion"],
        2: ["challenger"],
    }
    moves = [m for m in page["moves"] if m["alias"] == "champion"]
    assert [m["to_version"] for m in moves] == [1, 2, 1]  # newest first: back, there, the first


@pytest.fixture
def scheduled(home: Path) -> Path:
    """A project as a scheduler finds it: the script, its params, and data that did not drift."""
    project = home.parent
    write_visits(project / "data")
    shutil.copy(SKILLS / "design-pipeline" / "run_workflow.py", project)
    params = {"target": "saw_doctor", "model": "visits", "reference": "data/visits.csv"}
    params["source"] = params["reference"]
    (project / "retrain.json").write_text(json.dumps(params))
    return project


def run_in_shell(command: str, project: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ML_ORCHESTRATOR_HOME": str(project / "home"),
            "ML_ORCHESTRATOR_WORKER_IDLE_S": "2",
            "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR",
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_the_command_for_schedulers_runs_a_workflow_once_per_key(scheduled: Path) -> None:
    (block,) = run_blocks("design-pipeline", "bash")

    first, again = (run_in_shell(block.code, scheduled) for _ in range(2))

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    statuses = [json.loads(ran.stdout) for ran in (first, again)]
    assert [status["state"] for status in statuses] == ["succeeded", "succeeded"]
    assert statuses[0]["run_id"] == statuses[1]["run_id"]
    assert [step["state"] for step in statuses[0]["steps"]][1:] == ["skipped"] * 3


def test_the_command_for_schedulers_fails_where_the_tool_refuses(scheduled: Path) -> None:
    (scheduled / "retrain.json").write_text(json.dumps({"source": "data/none.csv"}))
    (block,) = run_blocks("design-pipeline", "bash")

    ran = run_in_shell(block.code, scheduled)

    assert ran.returncode == 1
    assert ran.stderr.startswith("workflow_run: "), ran.stderr
