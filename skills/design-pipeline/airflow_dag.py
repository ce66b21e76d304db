"""Airflow DAG: every night, train again if yesterday's data no longer look like the reference.

Airflow keeps the calendar and sends the alarm. The run itself is ours: durable, resumed after a
crash, and not started twice when Airflow tries the task again. PROJECT is the folder that holds
the data and ``.ml-orchestrator``; its ``.venv`` has ml-orchestrator in it.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = "/srv/visits"
RUN = "run_workflow.py drift-retrain retrain.json"

with DAG(
    dag_id="drift_retrain_visits",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
):
    BashOperator(
        task_id="drift_retrain",
        cwd=PROJECT,
        bash_command=f".venv/bin/python {RUN} --key {{{{ run_id }}}}",
        execution_timeout=timedelta(hours=2),
    )
