"""Pipelines as files of other platforms: an Airflow DAG that shows and waits for our run."""

import json
from typing import Any

from ml_orchestrator.orchestration.pipelines.planning import Planned

__all__ = ["airflow_file"]

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

from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, task

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


def airflow_file(planned: Planned) -> str:
    """Return the text of a Python file that Airflow 3 reads as a DAG with the pipeline's graph.

    Every value of the specification is written as a literal of text, so that nothing of it is
    read as code.
    """
    needs = {name: planned.needs[name] for name in planned.order}
    return _AIRFLOW.format(
        name=planned.spec.name,  # letters, digits, _ and - only
        digest=planned.digest,
        spec=_literal(json.dumps(planned.spec.plain())),
        params=_literal(json.dumps(planned.params)),
        needs=_literal(json.dumps(needs)),
        dag_id=_literal(planned.spec.name),
        description=_literal(planned.spec.description or planned.spec.name),
        schedule=_literal(planned.spec.schedule),
    )


def _literal(value: Any) -> str:
    """Return a value as Python writes it, in ASCII."""
    return ascii(value)
