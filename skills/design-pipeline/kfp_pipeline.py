"""Kubeflow pipeline of one step: the same durable workflow, in a container.

IMAGE holds the project, run_workflow.py and ml-orchestrator. A pod keeps no disk, so the data
directory is a persistent volume that one pod at a time mounts: the run that an earlier pod left
unfinished is found there and resumed. Needs kfp and kfp-kubernetes.
"""

from kfp import compiler, dsl, kubernetes

IMAGE = "registry.example/visits-ml:1"
VOLUME = "visits-ml-state"  # ReadWriteOncePod
HOME = "/srv/state"


@dsl.container_component
def drift_retrain(params_file: str, key: str) -> dsl.ContainerSpec:
    """Run drift-retrain to its end; the pod fails if the run does."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "run_workflow.py"],
        args=["drift-retrain", params_file, "--key", key],
    )


@dsl.pipeline(name="drift-retrain-visits")
def pipeline(params_file: str = "retrain.json") -> None:
    """Train again only if the data drifted."""
    task = drift_retrain(params_file=params_file, key=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    task.set_caching_options(False)  # a retraining that is read from a cache is none
    task.set_cpu_limit("2").set_memory_limit("4G").set_retry(num_retries=2)
    task.set_env_variable("ML_ORCHESTRATOR_HOME", HOME)
    task.set_env_variable("MLFLOW_TRACKING_URI", "http://mlflow.ml.svc:5000")
    kubernetes.mount_pvc(task, pvc_name=VOLUME, mount_path=HOME)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, "drift_retrain.yaml")
