"""Exported pipelines read by the libraries of Airflow and Kubeflow: `make test-exports`.

The platforms need an environment of their own, so it is that one's Python which reads the files.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_orchestrator.cli import main

PLATFORMS = os.environ.get("PLATFORMS_PYTHON", "")
pytestmark = pytest.mark.skipif(not PLATFORMS, reason="needs two platforms: make test-exports")
SPEC = {
    "name": "judged",
    "description": '""" + __import__("os").abort() #\n{x}',
    "schedule": "0 3 * * *",
    "params": {"floor": {"type": "number", "default": 0.5}},
    "steps": {
        "best": {"uses": "pick_best", "with": {"candidates": [{"score": 0.7}, {"score": 0.9}]}},
        "gate": {
            "uses": "require",
            "with": {"value": "${steps.best.output.best.score}", "at_least": "${params.floor}"},
        },
        "low": {"uses": "require", "when": "${params.floor} < 0.1", "with": {"value": 1}},
    },
}
READ_DAG = """
import json, runpy, sys
from airflow.serialization.serialized_objects import DagSerialization

dag = runpy.run_path(sys.argv[1])["dag"]
dag.validate()
stored = DagSerialization.to_dict(dag)
print(json.dumps({
    "id": dag.dag_id,
    "description": dag.description,
    "after": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
    "n_stored": len(stored["dag"]["tasks"]),
}))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(SPEC))
    return tmp_path


def export(platform: str, out: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["workflow", "export", "p.yaml", "--to", platform, "--out", out])
    assert ended.value.code in (0, None)


def on_platform(project: Path, *words: str) -> str:
    given = {**os.environ, "AIRFLOW_HOME": str(project / "airflow")}
    ran = subprocess.run(
        [PLATFORMS, *words],
        check=False,
        capture_output=True,
        text=True,
        env=given,
        cwd=project,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    return ran.stdout


def test_airflow_takes_the_dag_with_its_graph(project: Path) -> None:
    export("airflow", "dag.py")
    read: dict[str, Any] = json.loads(
        on_platform(project, "-c", READ_DAG, "dag.py").splitlines()[-1]
    )

    assert read["description"] == SPEC["description"]
    assert "gate" in read["after"]["best"]
    assert read["n_stored"] == len(read["after"]) == 5  # start, three steps, finish
    ends = [name for name, after in read["after"].items() if not after]
    assert len(ends) == 1


def test_kubeflow_compiles_the_pipeline(project: Path) -> None:
    export("kubeflow", "pipeline.py")
    on_platform(project, "pipeline.py")
    (compiled,) = [file for file in project.glob("*.yaml") if file.name != "p.yaml"]
    documents = list(yaml.safe_load_all(compiled.read_text()))

    assert documents[0]["pipelineInfo"]["name"] == "judged"
    assert documents[0]["deploymentSpec"]["executors"]
