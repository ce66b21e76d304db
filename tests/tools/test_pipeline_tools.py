"""Pipelines through the tools and the command line: started, refused, followed, drawn."""

import ast
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from mcp.client import Client
from mcp.types import ImageContent
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.cli import main
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.settings import Settings

ME = "ml-orchestrator"
PNG = b"\x89PNG\r\n\x1a\n"
SPEC = {
    "name": "judged",
    "params": {"floor": {"type": "number", "default": 0.5}},
    "steps": {
        "best": {
            "uses": "pick_best",
            "with": {"candidates": [{"score": 0.7, "of": "a"}, {"score": 0.9, "of": "b"}]},
        },
        "gate": {
            "uses": "require",
            "with": {"value": "${steps.best.output.best.score}", "at_least": "${params.floor}"},
        },
        "low": {"uses": "require", "when": "${params.floor} < 0.1", "with": {"value": 1}},
    },
    "outputs": {"winner": "${steps.best.output.best.of}"},
}


async def test_a_pipeline_is_started_followed_and_drawn(home: Path) -> None:
    settings = Settings.read({}, project_dir=home.parent, home=home, worker_idle_s=2.0)
    (home.parent / "judged.yaml").write_text(yaml.safe_dump(SPEC))
    async with Client(build_server(settings)) as client:
        started = await ask(client, "workflow_run", agent=ME, spec=SPEC, idempotency_key="once")
        again = await ask(
            client, "workflow_run", agent=ME, spec="judged.yaml", idempotency_key="once"
        )
        done = await ask(client, "workflow_status", run_id=started["run_id"], wait_s=50)
        drawn = await client.call_tool(
            "workflow_status", {"run_id": started["run_id"], "with_picture": True}
        )
        failed = await ask(
            client, "workflow_run", agent=ME, spec=yaml.safe_dump(SPEC), params={"floor": 0.95}
        )
        why = await ask(client, "workflow_status", run_id=failed["run_id"], wait_s=50)

    assert again["run_id"] == started["run_id"]
    assert (done["state"], done["result"]) == ("succeeded", {"winner": "b"})
    assert {step["name"]: step["state"] for step in done["steps"]} == {
        "best": "succeeded",
        "gate": "succeeded",
        "low": "skipped",
    }
    assert done["picture"] is None
    assert (why["state"], why["steps"][2]["error"]) == (
        "failed",
        "0.9 is below 0.95, which is required.",
    )
    assert drawn.structured_content is not None
    picture = drawn.structured_content["picture"].splitlines()
    assert [line.split()[:2] for line in picture if "condition" not in line] == [
        ["+", "best"],
        ["-", "low"],
        ["+", "gate"],
    ]
    (image,) = [part for part in drawn.content if isinstance(part, ImageContent)]
    assert base64.b64decode(image.data).startswith(PNG)


async def test_a_built_in_workflow_is_drawn_as_text_and_as_a_picture_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_orchestrator.orchestration._dbos.client.RunClient.wake", lambda _: None)
    params = {"source": "builtin:iris", "reference": "builtin:iris", "model": "iris"}
    settings = Settings.read({}, project_dir=home.parent, home=home)
    async with Client(build_server(settings)) as client:
        asked = {"agent": ME, "name": "drift-retrain", "params": params}
        started = await ask(client, "workflow_run", **asked)
        drawn = await client.call_tool(
            "workflow_status", {"run_id": started["run_id"], "with_picture": True}
        )

    assert drawn.structured_content is not None
    picture = drawn.structured_content["picture"].splitlines()
    assert [line.split()[1:3] for line in picture] == [
        [step["name"], "pending"] for step in started["steps"]
    ]
    assert len(picture) > 2
    assert [part.type for part in drawn.content] == ["text", "image"]


async def test_faults_and_missing_rights_are_told_and_nothing_is_queued(home: Path) -> None:
    settings = Settings.read({}, project_dir=home.parent, home=home)
    moves = {
        "name": "moves",
        "steps": {
            "alias": {"uses": "set_alias", "with": {"model": "m", "version": 1}},
            "out": {"uses": "deploy", "with": {"model": "m", "version": 1}},
        },
    }
    async with Client(build_server(settings)) as client:
        faulty = await refusal(
            client, "workflow_run", agent=ME, spec={"name": "x", "steps": {"a": {"uses": "no"}}}
        )
        neither = await refusal(client, "workflow_run", agent=ME)
        both = await refusal(client, "workflow_run", agent=ME, name="train", spec="a: 1")
        rights = await refusal(client, "workflow_run", agent="data-pipeline-specialist", spec=moves)
        runs = await ask(client, "health_get")

    assert "steps.a.uses: no step 'no'" in faulty
    assert "Give name, of a built-in workflow, or spec" in neither == both
    assert "may not use registry_move_alias" in rights
    assert "may not use deployment_start" in rights
    assert runs is not None
    assert not list((home / "runs").glob("*"))


def terminal(home: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(home), *words])
    return int(ended.value.code or 0)


def printed(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Return what a command prints as JSON."""
    capsys.readouterr()
    terminal(home, *words)
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def in_project(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(home.parent))
    monkeypatch.setenv("ML_ORCHESTRATOR_WORKER_IDLE_S", "2")
    return home.parent


def test_a_terminal_checks_runs_and_draws_a_pipeline(
    in_project: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_project / "p.yaml").write_text(yaml.safe_dump(SPEC))
    assert terminal(home, "workflow", "validate", "p.yaml") == 0
    checked = capsys.readouterr().out
    assert terminal(home, "workflow", "validate", "p.yaml", "--param", "floor=high") == 1
    refused = capsys.readouterr().err
    ran = terminal(home, "workflow", "run", "p.yaml", "--param", "floor=0.95", "--watch", "--json")
    status = json.loads(capsys.readouterr().out)
    shown = terminal(home, "runs", "show", status["run_id"], "--picture", "graph.png")
    drawn = capsys.readouterr().out
    assert terminal(home, "workflow", "steps") == 0

    assert checked.startswith("judged: 3 steps, digest ")
    assert "--param floor takes number, written as JSON; found 'high'." in refused
    assert (ran, shown, status["state"]) == (1, 1, "failed")
    assert "  ! gate  failed" in drawn
    assert "0.9 is below 0.95" in drawn
    assert (in_project / "graph.png").read_bytes().startswith(PNG)
    assert "takes source, target?, column_types?" in capsys.readouterr().out


def test_a_pipeline_is_put_on_a_schedule_and_taken_off_it(
    in_project: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    started: list[str] = []
    monkeypatch.setattr(
        "ml_orchestrator.pipelining.WorkerLauncher.ensure", lambda _: started.append("worker")
    )
    (in_project / "p.yaml").write_text(yaml.safe_dump(SPEC))
    assert terminal(home, "workflow", "schedule", "p.yaml") == 1
    lacking = capsys.readouterr().err
    assert terminal(home, "workflow", "schedule", "p.yaml", "--cron", "61 * * * *") == 1
    wrong = capsys.readouterr().err
    nowhere = ("--cron", "0 3 * * *", "--zone", "Nowhere/Land")
    assert terminal(home, "workflow", "schedule", "p.yaml", *nowhere) == 1
    lost = capsys.readouterr().err
    assert terminal(home, "workflow", "schedule", "p.yaml", "--cron", "0 3 * * *") == 0
    told = capsys.readouterr().out
    assert terminal(home, "workflow", "schedules") == 0
    listed = capsys.readouterr().out
    assert terminal(home, "workflow", "unschedule", "judged") == 0
    assert terminal(home, "workflow", "unschedule", "judged") == 1

    assert "has no schedule. Give --cron" in lacking
    assert "It cannot be scheduled: cron '61 * * * *' cannot be used (" in wrong
    assert "pydantic" not in wrong
    assert lost.splitlines()[0].endswith(
        "It cannot be scheduled: zone 'Nowhere/Land' is unknown; write an IANA name such as UTC "
        "or Europe/Berlin."
    )
    assert told.splitlines()[-1] == "No more by: ml-orchestrator workflow unschedule judged"
    assert "judged" in listed
    assert "0 3 * * * (UTC)" in listed
    assert started == ["worker"]
    assert "No pipeline 'judged' is scheduled; scheduled: none." in capsys.readouterr().err


def _yaml_blocks(page: str) -> list[str]:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["docs/pipelines.md", "skills/design-pipeline/SKILL.md"])
def test_the_pipelines_that_pages_show_could_start(page: str, tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path / "home", project_dir=tmp_path)
    (block,) = _yaml_blocks(page)
    planned = plan_pipeline(block, {}, settings)

    assert "approval" in {step.uses for step in planned.spec.steps.values()}
    assert len(planned.order) > 5


class _Task:
    """As much of an Airflow task as the exported file uses."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.function, self.options, self.after = function, options, []  # type: ignore[var-annotated]

    def override(self, **options: Any) -> "_Task":
        return _Task(self.function, **{**self.options, **options})

    def __call__(self, *given: Any) -> "_Task":
        return _Task(self.function, given=given, **self.options)

    def __rshift__(self, other: "_Task") -> None:
        self.after.append(other)


class _Dag:
    def __init__(self, **options: Any) -> None:
        self.options = options

    def __enter__(self) -> "_Dag":
        return self

    def __exit__(self, *_: object) -> None:
        return


def _airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    sdk, exceptions = ModuleType("airflow.sdk"), ModuleType("airflow.sdk.exceptions")

    def task(function: Any = None, **options: Any) -> Any:
        return _Task(function) if function else lambda given: _Task(given, **options)

    sdk.DAG, sdk.task = _Dag, task  # type: ignore[attr-defined]
    exceptions.AirflowFailException = type("AirflowFailException", (Exception,), {})  # type: ignore[attr-defined]
    exceptions.AirflowSkipException = type("AirflowSkipException", (Exception,), {})  # type: ignore[attr-defined]
    for name, module in (
        ("airflow", ModuleType("airflow")),
        ("airflow.sdk", sdk),
        ("airflow.sdk.exceptions", exceptions),
    ):
        monkeypatch.setitem(sys.modules, name, module)


def test_a_pipeline_is_exported_as_a_dag_with_its_graph_that_runs_it(
    in_project: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hostile = '""" + __import__("os").abort() #\n{x}'
    spec = {**SPEC, "description": hostile, "schedule": "0 3 * * *"}
    (in_project / "p.yaml").write_text(yaml.safe_dump(spec))
    assert terminal(home, "workflow", "export", "p.yaml", "--to", "airflow", "--out", "d.py") == 0
    capsys.readouterr()
    text = (in_project / "d.py").read_text()
    ast.parse(text)
    _airflow(monkeypatch)
    file: dict[str, Any] = {"__name__": "d"}
    exec(compile(text, "d.py", "exec"), file)
    file["COMMAND"][:] = [sys.executable, "-m", "ml_orchestrator", "--home", str(home)]
    run_id = file["start"].function(run_id="scheduled__1")
    file["call"] = lambda *words, text=None: printed(home, capsys, *words)  # not a process each
    states = {}
    for name in ("gate", "low"):
        try:
            states[name] = file["step"].function(run_id, name)
        except Exception as error:  # noqa: BLE001 Airflow's own are made above
            states[name] = type(error).__name__

    assert file["dag"].options["description"] == hostile
    assert file["dag"].options["schedule"] == "0 3 * * *"
    assert file["NEEDS"] == {"best": [], "low": [], "gate": ["best"]}
    assert file["tasks"]["gate"] in file["tasks"]["best"].after
    assert [file["ended"] in task.after for task in file["tasks"].values()] == [True] * 3
    assert states["gate"] == {"value": 0.9}
    assert states["low"] == "AirflowSkipException"
    assert file["finish"].function(run_id) == {"winner": "b"}


class _Component:
    """What a container component gives when a pipeline calls it."""

    def __init__(self, made: Any, **given: str) -> None:
        self.spec, self.settings = made(**given), {}  # type: ignore[var-annotated]

    def __getattr__(self, name: str) -> Callable[..., None]:
        def kept(*values: Any, **named: Any) -> None:
            self.settings[name] = (*values, *named.values())

        return kept


def test_a_pipeline_is_exported_as_a_file_for_kubeflow_whose_pod_runs_it(
    in_project: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[_Component] = []

    def kept(component: _Component) -> _Component:
        made.append(component)
        return component

    kfp = ModuleType("kfp")
    kfp.compiler = ModuleType("compiler")  # type: ignore[attr-defined]
    kfp.dsl = SimpleNamespace(  # type: ignore[attr-defined]
        ContainerSpec=lambda **given: given,
        PIPELINE_JOB_ID_PLACEHOLDER="job 1",
        container_component=lambda function: lambda **given: kept(_Component(function, **given)),
        pipeline=lambda **_: lambda function: function,
    )
    kfp.kubernetes = SimpleNamespace(mount_pvc=lambda task, **_: None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kfp", kfp)
    spec = {**SPEC, "description": 'It\'s "$(touch gone)" `x`'}
    (in_project / "p.yaml").write_text(yaml.safe_dump(spec))
    out = ["--to", "kubeflow", "--out", "k.py"]
    assert terminal(home, "workflow", "export", "p.yaml", *out) == 0
    file: dict[str, Any] = {"__name__": "k"}
    exec(compile((in_project / "k.py").read_text(), "k.py", "exec"), file)
    file["pipeline"]()
    (task,) = made
    command = [*task.spec["command"], *task.spec["args"]]
    fake = in_project / "ml-orchestrator"
    fake.write_text('#!/bin/sh\ncat > spec.json; for each; do echo "$each"; done > given\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{in_project}:{os.environ['PATH']}")
    subprocess.run(command, check=True, cwd=in_project)

    assert json.loads((in_project / "spec.json").read_text()) == spec
    assert (in_project / "given").read_text().splitlines() == [
        "workflow",
        "run",
        "-",
        "--watch",
        "--key",
        "job 1",
        "--param=floor=0.5",
    ]
    assert not (in_project / "gone").exists()
    assert task.settings["set_env_variable"] == ("ML_ORCHESTRATOR_HOME", "/srv/state")
