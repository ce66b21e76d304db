"""Workflows started by name: those that ship, as code or as a pipeline, and another package's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp.client import Client
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.pipelines.executing import Record, carry_out
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.pipelines.units import StoredPlan, Unit
from ml_orchestrator.orchestration.steps import StepContext
from ml_orchestrator.orchestration.steps.judge import require
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Node, TrainParams, Workflow
from ml_orchestrator.orchestration.workflows.shipped import shipped, shipped_names
from ml_orchestrator.services import workflow
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
        assert "there are compress, drift-retrain, optimize-rules, " in said
        assert ", train, train-and-roll-out" in said
    assert unknown.startswith("No workflow 'trian' to start by name (did you mean 'train'?); ")
    assert "may not use rules_optimize" in rules
    assert "may not use training_start" in shipped_one
    assert "may not use deployment_start" in shipped_one


async def test_a_workflow_needs_the_rights_that_its_steps_declare(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = {"deploy": "deployment_start", "train": "training_start"}
    added = Workflow("added", "Of a package.", TrainParams, tuple(Node(step) for step in needs))
    monkeypatch.setattr(workflow, "WORKFLOWS", {"added": added})
    async with Client(build_server(settings)) as client:
        said = await refusal(client, "workflow_run", agent="data-pipeline-specialist", name="added")

    assert "Workflow 'added' was not started" in said
    assert all(f"may not use {tool}" in said for tool in needs.values())


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


async def test_a_workflow_that_was_added_is_started_by_its_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # the worker imports it, too
    settings = Settings.read(
        {},
        project_dir=home.parent,
        home=home,
        worker_idle_s=2.0,
        plugins=("tests.orchestration.tiny_workflows",),
    )
    params = {"ledger": str(home.parent / "ledger"), "number": 20}
    async with Client(build_server(settings)) as client:
        run = await ask(client, "workflow_run", agent=ME, name="tiny", params=params)
        done = await ask(client, "workflow_status", run_id=run["run_id"], wait_s=50)
        said = await refusal(client, "workflow_run", agent=ME, name="tiny", params={})

    assert (done["state"], done["result"]["answer"]) == ("succeeded", 41)
    assert "Workflow 'tiny' cannot start" in said
    assert "ledger" in said  # what its parameters are


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"holdout_score": 0.9, "baseline_score": 0.9}, None),
        ({"holdout_score": 0.9, "baseline_score": 0.91}, "0.9 is below 0.91"),
        ({"holdout_score": 0.9, "baseline_score": None}, "The baseline has no score"),
        ({"holdout_score": None, "baseline_score": 0.5}, "no score on held-out rows"),
        ({"holdout_score": 3, "baseline_score": 2, "higher_is_better": False}, "3 is above 2"),
        ({"holdout_score": 2, "baseline_score": 2, "higher_is_better": False}, None),
    ],
)
async def test_a_model_is_registered_only_if_held_out_it_is_at_least_the_baseline(
    settings: Settings, found: dict[str, Any], why: str | None
) -> None:
    planned = plan_pipeline(
        str(shipped("train-and-roll-out")), {"source": "x.csv", "model": "m"}, settings
    )
    fit = {"trained": "x", "score": 1.0, "higher_is_better": True, **found}
    here = StepContext("run-1", ME, settings, lambda *_: None)
    done: list[str] = []

    def reserve(name: str) -> Record:
        async def record(unit: Unit) -> dict[str, Any]:
            done.append(unit.step)
            try:
                output = (
                    require(here, {"at_least": None, "at_most": None, **unit.inputs}, {})
                    if unit.uses == "require"
                    else fit
                    if unit.step == "fit"
                    else {"version": 1, "state": "promoted"}
                )
            except InvalidInputError as error:
                return {"error": str(error), "is_final": True}
            return {"output": output}

        return record

    plan = {"params": planned.params, "actor": ME, "steps": planned.order}
    stored = StoredPlan.of(plan | {"pipeline": planned.stored()})
    if why is None:
        result = await carry_out(stored, run_id="run-1", run_attempt=1, reserve=reserve)
        assert result["score"] == found["holdout_score"]
    else:
        with pytest.raises(StepFailedError, match=why):
            await carry_out(stored, run_id="run-1", run_attempt=1, reserve=reserve)
    assert ("version" in done) == (why is None)


@pytest.mark.parametrize("name", shipped_names())
def test_what_ships_is_sound_and_named_as_its_file(name: str, settings: Settings) -> None:
    text = str(shipped(name))
    assert yaml.safe_load(text)["name"] == name
    assert plan_pipeline(text, None, settings).warnings == []


def test_no_package_may_take_the_name_of_a_pipeline_that_ships() -> None:
    assert set(WORKFLOWS._taken()) == set(shipped_names()) != set()


def test_no_path_leads_out_of_the_folder_of_what_ships() -> None:
    assert shipped("../models") is None
