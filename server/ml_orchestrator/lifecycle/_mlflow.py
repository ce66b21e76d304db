"""MLflow as the record of experiments; the one module of the life cycle that imports it."""

import logging
import os
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import (
    InvalidInputError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.lifecycle.models import LoggedModel
from ml_orchestrator.lifecycle.run_content import (
    check_content,
    check_run_id,
    example_rows,
    note_platform,
    read_small,
)
from ml_orchestrator.lifecycle.signature import mlflow_type, signature_columns
from ml_orchestrator.modelfiles.optional import onnx_files
from ml_orchestrator.storage._mlflow.errors import ODD_ANSWERS, first_line, translated
from ml_orchestrator.storage._mlflow.files import fetch_file
from ml_orchestrator.storage.artifacts import artifact_place, is_plain, is_server, local_path
from ml_orchestrator.storage.creation import with_whole_file
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.locks import exclusive
from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))

import mlflow.sklearn
from mlflow import MlflowClient
from mlflow.entities import LoggedModel as MlflowModel
from mlflow.entities import LoggedModelInput, LoggedModelOutput, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

__all__ = ["MlflowTracker"]

RUN_TAG = "ml_orchestrator.run_id"
MODEL_TAG = "ml_orchestrator.model_id"
MAX_PARAM = 6_000  # characters MLflow keeps of a parameter
BATCH = 100  # parameters and tags MLflow takes at once
METRICS_BATCH = 1_000
MAX_FILE_BYTES = 8_000_000
_log = logging.getLogger(__name__)


class MlflowTracker:
    """Logs runs and models to MLflow. Thread-safe; holds no active run.

    Opening creates the database if there is none. Files go to ``home``/mlartifacts unless an
    MLflow server keeps them.
    """

    def __init__(self, tracking_uri: str, home: Path) -> None:
        self._home = home
        self._root = home / "mlartifacts"
        self._tracking_uri = tracking_uri
        self._artifact_location = None if is_server(tracking_uri) else self._root.as_uri()
        prepare_home(home)
        with translated():
            with_whole_file(tracking_uri, doing="creating MLflow's database", build=_open)
            self._client = _open(tracking_uri)

    def log_trained_model(
        self,
        *,
        orchestrator_run_id: str,
        experiment: str,
        model_name: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Mapping[str, bytes],
        model: Any,
        input_example: pd.DataFrame,
        predictions: Any,
        pip_requirements: Sequence[str],
        trusted_types: Sequence[str],
        may_miss: Collection[str] = (),
    ) -> LoggedModel:
        """Log one trained model with all that belongs to it; a retry returns the first.

        Args:
            orchestrator_run_id: Our run; a finished MLflow run that carries it is returned, an
                unfinished one is marked as failed and logged anew.
            experiment: MLflow experiment, created if it is new.
            model_name: Name of the logged model.
            params: Written as text, cut at 6,000 characters.
            metrics: Finite numbers.
            tags: Tags of the run.
            artifacts: Content by relative path, e.g. ``plots/roc.png``.
            model: A fitted scikit-learn estimator, or an ONNX graph (``modelfiles.onnx_file``).
            input_example: Rows the model takes; a column that misses a value in one of them may
                always miss one. The first five are stored.
            predictions: What the model answered for them, ``(n_rows,)``.
            pip_requirements: What the model needs; inferring it would take seconds.
            trusted_types: Types that skops may create besides its own list.
            may_miss: Further columns that may miss a value.

        Raises:
            InvalidInputError: a name, a metric or a column cannot be logged.
            IntegrityViolationError: MLflow would have the files written elsewhere than to itself
                or the artifact root; none is.
            UnavailableError: MLflow cannot serve now.
        """
        check_run_id(orchestrator_run_id)
        check_content({"experiment": experiment, "model": model_name}, metrics, artifacts)
        columns = signature_columns(input_example, may_miss=may_miss)
        with _logging():
            experiment_id = self._experiment(experiment)
            if done := self._finished(experiment_id, orchestrator_run_id):
                return self._logged(done)
            run = self._client.create_run(
                experiment_id, tags={**tags, RUN_TAG: orchestrator_run_id}
            )
            run_id = run.info.run_id
            with self._until_finished(run_id):
                entry = self._client.create_logged_model(
                    experiment_id, name=model_name, source_run_id=run_id
                )
                for location in (run.info.artifact_uri, entry.artifact_location):
                    self._place(location)
                self._log_numbers(entry, run_id, metrics)
                self._log_params(run_id, params)
                self._log_files(run_id, artifacts)
                self._log_model(
                    entry,
                    run_id,
                    model,
                    trusted_types,
                    signature=_signature(columns, predictions),
                    input_example=example_rows(input_example),
                    pip_requirements=list(pip_requirements),
                )
                self._client.set_tag(run_id, MODEL_TAG, entry.model_id)
            return self._logged(self._client.get_run(run_id))

    def log_report(
        self,
        *,
        experiment: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        series: Mapping[str, Sequence[float]],
        tags: Mapping[str, str],
        artifacts: Mapping[str, bytes],
        about_run: str | None = None,
    ) -> str:
        """Log what was found of data or of a model as a run, and return the run.

        Args:
            experiment: MLflow experiment, created if it is new.
            params: Written as text, cut at 6,000 characters.
            metrics: Finite numbers.
            series: Finite numbers by step, from 0.
            tags: Tags of the run.
            artifacts: Content by relative path.
            about_run: MLflow run of the model that it is about, which becomes its input where
                that run logged one of ours.

        Raises:
            InvalidInputError: a name or a number cannot be logged.
            IntegrityViolationError: MLflow would have the files written elsewhere than to itself
                or the artifact root; none is.
            UnavailableError: MLflow cannot serve now.
        """
        check_content({"experiment": experiment}, metrics, artifacts)
        with _logging():
            run = self._client.create_run(self._experiment(experiment), tags=dict(tags))
            run_id = run.info.run_id
            with self._until_finished(run_id):
                self._place(run.info.artifact_uri)
                self._log_params(run_id, params)
                self._log_series(run_id, {k: [v] for k, v in metrics.items()} | {**series})
                self._log_files(run_id, artifacts)
                if about_run and (model_id := self._model_of(about_run)):
                    self._client.log_inputs(run_id, models=[LoggedModelInput(model_id)])
            return str(run_id)

    @contextmanager
    def _until_finished(self, run_id: str) -> Iterator[None]:
        """Mark a run as finished at the end, or as failed if it does not get there."""
        try:
            yield
        except Exception:
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id, "FINISHED")

    def _model_of(self, run_id: str) -> str | None:
        tag = self._client.get_run(run_id).data.tags.get(MODEL_TAG)
        return None if tag is None else str(tag)

    def _log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        texts = [Param(key, str(value)[:MAX_PARAM]) for key, value in params.items()]
        for start in range(0, len(texts), BATCH):
            self._client.log_batch(run_id, params=texts[start : start + BATCH])

    def _log_series(self, run_id: str, series: Mapping[str, Sequence[float]]) -> None:
        at = time.time_ns() // 1_000_000
        rows = [
            Metric(name, float(value), at, step)
            for name, values in series.items()
            for step, value in enumerate(values)
        ]
        for start in range(0, len(rows), METRICS_BATCH):
            self._client.log_batch(run_id, metrics=rows[start : start + METRICS_BATCH])

    def read_file(self, run_id: str, path: str) -> bytes:
        """Return a small file that was logged with a run.

        Args:
            run_id: MLflow run.
            path: The file below the run's directory, such as ``plots/roc.png``.

        Raises:
            InvalidInputError: ``path`` cannot name such a file.
            NotFoundError: there is no such run, or it has no such file.
            IntegrityViolationError: the run keeps its files where ours may not lie, or the file
                has more than ``MAX_FILE_BYTES``.
            UnavailableError: MLflow cannot answer.
        """
        if not is_plain(path):
            raise InvalidInputError(f"{path[:80]!r} cannot name a file of a run.")
        with translated():
            place = self._place(self._client.get_run(run_id).info.artifact_uri or "")
            if place.startswith("file:"):
                file = local_path(f"{place}/{quote(path)}", self._root)
                return read_small(file, path, limit_bytes=MAX_FILE_BYTES)
            return fetch_file(
                place, path, tracking_uri=self._tracking_uri, limit_bytes=MAX_FILE_BYTES
            )

    def _experiment(self, name: str) -> str:
        with exclusive(self._home / "locks" / "experiments", doing="creating an experiment"):
            if found := self._client.get_experiment_by_name(name):
                if found.lifecycle_stage != "active":
                    raise InvalidInputError(
                        f"Experiment {name!r} was deleted; restore it or choose another name."
                    )
                return str(found.experiment_id)
            return self._client.create_experiment(name, artifact_location=self._artifact_location)

    def _finished(self, experiment_id: str, orchestrator_run_id: str) -> Run | None:
        runs = self._client.search_runs(
            [experiment_id], f"tags.`{RUN_TAG}` = '{orchestrator_run_id}'"
        )
        for run in runs:
            if run.info.status == "RUNNING":
                self._client.set_terminated(run.info.run_id, "FAILED")
        return next((run for run in runs if run.info.status == "FINISHED"), None)

    def _logged(self, run: Run) -> LoggedModel:
        model_id = run.data.tags[MODEL_TAG]
        location = urlsplit(self._place(self._client.get_logged_model(model_id).artifact_location))
        is_local = location.scheme == "file"
        return LoggedModel(
            run_id=run.info.run_id,
            model_id=model_id,
            source_uri=f"models:/{model_id}",
            directory=Path(unquote(location.path)) if is_local else None,
        )

    def _place(self, location: str) -> str:
        """Return where files may be written, or refuse what MLflow says of it."""
        return artifact_place(location, root=self._root, tracking_uri=self._tracking_uri)

    def _log_numbers(self, entry: MlflowModel, run_id: str, metrics: Mapping[str, float]) -> None:
        at = entry.creation_timestamp
        numbers = [
            Metric(key, float(value), at, 0, model_id=entry.model_id, run_id=run_id)
            for key, value in metrics.items()
        ]
        self._client.log_outputs(run_id, [LoggedModelOutput(entry.model_id, step=0)])
        self._client.log_batch(run_id, metrics=numbers)

    def _log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as name:
            for path, content in artifacts.items():
                target = Path(name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            self._client.log_artifacts(run_id, name)

    def _log_model(
        self,
        entry: MlflowModel,
        run_id: str,
        model: Any,
        trusted_types: Sequence[str],
        **content: Any,
    ) -> None:
        description = Model(
            artifact_path=entry.artifact_location,
            model_uuid=entry.model_id,
            run_id=run_id,
            model_id=entry.model_id,
        )
        with tempfile.TemporaryDirectory() as name:
            directory = str(Path(name, "model"))
            if isinstance(graph := getattr(model, "content", None), bytes):
                _save_graph(graph, path=directory, mlflow_model=description, **content)
            else:
                mlflow.sklearn.save_model(
                    model,
                    path=directory,
                    mlflow_model=description,
                    serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
                    skops_trusted_types=list(trusted_types),
                    **content,
                )
            note_platform(Path(directory))
            self._client.log_model_artifacts(entry.model_id, directory)
        self._client.finalize_logged_model(entry.model_id, "READY")


def _save_graph(graph: bytes, **content: Any) -> None:
    """Save an ONNX graph as MLflow does, all in one file."""
    import_alone("mlflow.onnx").save_model(
        onnx_files().as_graph(graph),
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
        **content,
    )


def _signature(columns: list[tuple[str, str, bool]], predictions: Any) -> ModelSignature:
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(kind, name, required) for name, kind, required in columns
    ]
    kind = mlflow_type(pd.Series(predictions).dtype, "prediction")
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec(kind)]))


@contextmanager
def _logging() -> Iterator[None]:
    """Turn what MLflow, its database and its server raise into an error of ours."""
    try:
        yield
    except OrchestratorError:
        raise
    except (MlflowException, SQLAlchemyError, OSError, *ODD_ANSWERS) as error:
        _log.warning("MLflow could not log a run", exc_info=True)
        raise UnavailableError(
            f"MLflow could not log the run ({type(error).__name__}): {first_line(error)}."
        ) from error


def _open(tracking_uri: str) -> MlflowClient:
    client = MlflowClient(tracking_uri)
    client.search_experiments(max_results=1)
    return client
