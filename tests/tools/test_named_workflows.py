"""Workflows started by name: those that ship, as code or as a pipeline, and another package's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mcp.client import Client
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Workflow
from ml_orchestrator.orchestration.workflows.shipped import shipped, shipped_names
from ml_orchestrator.serving.launch import stop_server
from ml_orchestrator.settings import Settings

ME = "ml-orchestrator"
DATA = {"source": "builtin:breast_cancer", "n_trials": 2, "timeout_s": 30}


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings.read({}, project_dir=home.parent, home=home, worker_idle_s=2.0)


@pytest.fixture
def serving(settings: Settings) -> Iterator[Settings]:
    """Settings under which a roll-out may start a model server; it is stopped at the end."""
    yield settings
    stop_server(settings, "tumours")


async def test_a_model_is_trained_verified_and_brought_before_users(serving: Settings) -> None:
    roll_out = {"bake_s": 0, "gates": [], "approval": "before_promotion"}
    params = {**DATA, "model": "tumours", "roll_out": roll_out}
    async with Client(build_server(serving)) as client:
        run = await ask(client, "workflow_run", agent=ME, name="train-and-roll-out", params=params)
        while "A person: ml-orchestrator approve" not in str(
            found := await ask(client, "workflow_status", run_id=run["run_id"], wait_s=2)
        ):
            assert found["state"] in ("queued", "running"), found
        registry = await ask(client, "registry_list", model="tumours")
        rollout = (await ask(client, "deployment_status", rollout="tumours"))["rollout_id"]
        abort = {"rollout_id": rollout, "choice": "abort", "reason": "Seen enough."}
        await ask(client, "deployment_decide", agent=ME, **abort)
        ended = await ask(client, "workflow_status", run_id=run["run_id"], wait_s=50)

    states = {step["name"]: step["state"] for step in found["steps"]}
    assert states.pop("roll_out") == "running"
    assert states.pop("is_below") == "skipped"
    assert set(states.values()) == {"succeeded"}
    assert "challenger" in str(registry)
    assert ended["state"] == "failed"
    assert rollout in str(ended["error"])


async def test_only_what_is_for_callers_can_be_started_and_with_its_right(
    settings: Settings,
) -> None:
    async with Client(build_server(settings)) as client:
        unknown = await refusal(client, "workflow_run", agent=ME, name="trian")
        internal = await refusal(client, "workflow_run", agent=ME, name="roll-out")
        rules = await refusal(
            client, "workflow_run", agent="data-pipeline-specialist", name="optimize-rules"
        )
        shipped_one = await refusal(
            client,
            "workflow_run",
            agent="data-pipeline-specialist",
            name="train-and-roll-out",
            params={**DATA, "model": "tumours"},
        )

    for said in (unknown, internal):
        assert "there are compress, drift-retrain, optimize-rules, train, train-and-roll" in said
    assert "may not use rules_optimize" in rules
    assert "may not use training_start" in shipped_one
    assert "may not use deployment_start" in shipped_one


async def test_rules_are_optimised_by_name(settings: Settings) -> None:
    prompts = [f"Summarise the text number {i} in a few words or so, please." for i in range(40)]
    async with Client(build_server(settings)) as client:
        run = await ask(
            client,
            "workflow_run",
            agent=ME,
            name="optimize-rules",
            params={"prompts": prompts, "n_trials": 3},
        )
        done = await ask(client, "workflow_status", run_id=run["run_id"], wait_s=50)

    assert done["state"] == "succeeded"


async def test_a_workflow_that_was_added_is_startable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = WORKFLOWS["train"]
    added = Workflow("added", "As train.", train.params, train.nodes, check=train.check)
    monkeypatch.setitem(WORKFLOWS._entries, "added", added)
    async with Client(build_server(settings)) as client:
        said = await refusal(client, "workflow_run", agent=ME, name="added", params={})

    assert "Workflow 'added' cannot start" in said  # and says what its parameters are


@pytest.mark.parametrize("name", shipped_names())
def test_what_ships_is_sound_and_named_as_its_file(name: str, settings: Settings) -> None:
    text = str(shipped(name))
    assert yaml.safe_load(text)["name"] == name
    assert plan_pipeline(text, None, settings).warnings == []


def test_no_path_leads_out_of_the_folder_of_what_ships() -> None:
    assert shipped("../models") is None
