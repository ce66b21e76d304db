"""Pipelines as files of other platforms: an Airflow DAG with the graph, a Kubeflow pipeline.

Both are Python that the platform's own library reads; nothing of it is needed here.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ml_orchestrator.orchestration.pipelines.planning import Planned

__all__ = ["PLATFORMS", "airflow_file", "kubeflow_file"]

_AIRFLOW = '''\
"""Pipeline {name}, written by `ml-orchestrator workflow export --to airflow`.

Airflow owns the calendar and the alarm. The first task starts the run, durably and once for each
run of the DAG; each step has a task of its name that waits for it, fails with its error and is
skipped where it was. Retrying a task asks again and starts nothing twice. The machine that runs
the tasks needs the command ml-orchestrator and the data directory (ML_ORCHESTRATOR_HOME).

Written for Airflow 3. Digest of the specification: {digest}
"""

import json
import subprocess
import time
from datetime import datetime, timezone

from airflow.sdk import DAG, task

try:
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import AirflowFailException, AirflowSkipException

COMMAND = ["ml-orchestrator"]
POLL_S = 5.0
SPEC = json.loads({spec})
PARAMS = json.loads({params})
NEEDS = json.loads({needs})
OVER = ("succeeded", "failed", "cancelled")


def call(*arguments, text=None):
    """Return what the command prints, as JSON; a run that failed is an answer too."""
    done = subprocess.run(
        [*COMMAND, *arguments], input=text, capture_output=True, text=True, check=False
    )
    if not done.stdout.strip():
        raise RuntimeError(done.stderr.strip() or f"exit code {{done.returncode}}")
    return json.loads(done.stdout)


def written(value):
    """Return a parameter as the command takes it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


@task
def start(run_id=None):
    """Start the run of this run of the DAG; again, it is the same one."""
    given = [f"--param={{name}}={{written(value)}}" for name, value in PARAMS.items()]
    asked = ("workflow", "run", "-", "--json", "--key", str(run_id), *given)
    return call(*asked, text=json.dumps(SPEC))["run_id"]


@task(trigger_rule="all_done")
def step(run, name):
    """Wait for one step."""
    while True:
        status = call("runs", "show", run, "--json")
        found = next(each for each in status["steps"] if each["name"] == name)
        if found["state"] == "succeeded":
            return found["output"]
        if found["state"] == "failed":
            raise AirflowFailException(found["error"])
        if found["state"] in ("skipped", "cancelled") or status["state"] in OVER:
            raise AirflowSkipException((found.get("node") or {{}}).get("because") or "not run")
        time.sleep(POLL_S)


@task(trigger_rule="all_done")
def finish(run):
    """Fail where the run failed, since Airflow judges by the last tasks alone."""
    while True:
        status = call("runs", "show", run, "--json")
        if status["state"] == "succeeded":
            return status["result"]
        if status["state"] in OVER:
            raise AirflowFailException(status["error"] or status["state"])
        time.sleep(POLL_S)


with DAG(
    dag_id={dag_id},
    description={description},
    schedule={schedule},
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["ml-orchestrator"],
) as dag:
    began = start()
    tasks = {{name: step.override(task_id=name)(began, name) for name in NEEDS}}
    ended = finish(began)
    for name, needs in NEEDS.items():
        for each in needs:
            tasks[each] >> tasks[name]
        tasks[name] >> ended
'''


_KUBEFLOW = '''\
"""Pipeline {name}, written by `ml-orchestrator workflow export --to kubeflow`.

Run as a program it writes the pipeline's YAML (it needs kfp and kfp-kubernetes). One pod carries
the whole graph out, since steps hand each other files in the data directory, a volume that one pod
at a time mounts. A pod that was killed is tried again and goes on where the one before it was.

IMAGE holds ml-orchestrator and the data. Digest of the specification: {digest}
"""

from kfp import compiler, dsl, kubernetes

IMAGE = "registry.example/ml-orchestrator:1"
VOLUME = "ml-orchestrator-state"  # ReadWriteOncePod
HOME = "/srv/state"
SPEC = {spec}
PARAMS = {params}
RUN = 'printf %s "$0" | ml-orchestrator workflow run - --watch --key "$@"'


@dsl.container_component
def carry_out(key: str) -> dsl.ContainerSpec:
    """Run the pipeline to its end; the pod fails if the run does."""
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", RUN, SPEC], args=[key, *PARAMS])


@dsl.pipeline(name={dag_id}, description={description})
def pipeline() -> None:
    """One run for each run of this pipeline."""
    task = carry_out(key=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    task.set_caching_options(False)
    task.set_retry(num_retries=2)
    task.set_env_variable("ML_ORCHESTRATOR_HOME", HOME)
    kubernetes.mount_pvc(task, pvc_name=VOLUME, mount_path=HOME)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, {file})
'''


def airflow_file(planned: Planned) -> str:
    """Return the text of a Python file that Airflow 3 reads as a DAG with the pipeline's graph.

    Every value of the specification is written as a literal of text, so that nothing of it is
    read as code.
    """
    needs = planned.needs
    return _AIRFLOW.format(
        name=planned.spec.name,  # letters, digits, _ and - only
        digest=planned.digest,
        spec=_literal(json.dumps(planned.spec.plain())),
        params=_literal(json.dumps(planned.params)),
        needs=_literal(json.dumps({name: needs[name] for name in planned.order})),
        dag_id=_literal(planned.spec.name),
        description=_literal(planned.spec.description or planned.spec.name),
        schedule=_literal(planned.spec.schedule),
    )


def kubeflow_file(planned: Planned) -> str:
    """Return the text of a Python file that kfp 2 compiles to a pipeline of one durable pod.

    Parameters are those of now; a schedule is the cluster's own (a recurring run).
    """
    given = [
        f"--param={name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in planned.params.items()
    ]
    return _KUBEFLOW.format(
        name=planned.spec.name,
        digest=planned.digest,
        spec=_literal(json.dumps(planned.spec.plain())),
        params=_literal(given),
        dag_id=_literal(planned.spec.name.lower().replace("_", "-")),
        description=_literal(planned.spec.description or planned.spec.name),
        file=_literal(f"{planned.spec.name}.yaml"),
    )


PLATFORMS: Mapping[str, Callable[[Planned], str]] = MappingProxyType(
    {"airflow": airflow_file, "kubeflow": kubeflow_file}
)


def _literal(value: Any) -> str:
    """Return a value as Python writes it, in ASCII."""
    return ascii(value)
