"""MLflow as the record of experiments; the one module of the life cycle that imports it."""

import logging
import math
import os
import platform
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.errors import (
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.lifecycle.models import LoggedModel
from ml_orchestrator.lifecycle.signature import mlflow_type, signature_columns
from ml_orchestrator.storage._mlflow.errors import ODD_ANSWERS, translated
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
from mlflow.entities import LoggedModelOutput, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

__all__ = ["MlflowTracker"]

RUN_TAG = "ml_orchestrator.run_id"
MODEL_TAG = "ml_orchestrator.model_id"
MAX_PARAM = 6_000  # characters MLflow keeps of a parameter
BATCH = 100  # parameters and tags MLflow takes at once
EXAMPLE_ROWS = 5
MAX_FILE_BYTES = 8_000_000
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
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
            model: A fitted scikit-learn estimator.
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
        _check(orchestrator_run_id, experiment, model_name, metrics, artifacts)
        columns = signature_columns(input_example, may_miss=may_miss)
        with _logging():
            experiment_id = self._experiment(experiment)
            if done := self._finished(experiment_id, orchestrator_run_id):
                return self._logged(done)
            run = self._client.create_run(
                experiment_id, tags={**tags, RUN_TAG: orchestrator_run_id}
            )
            run_id = run.info.run_id
            try:
                entry = self._client.create_logged_model(
                    experiment_id, name=model_name, source_run_id=run_id
                )
                for location in (run.info.artifact_uri, entry.artifact_location):
                    self._place(location)
                self._log_numbers(entry, run_id, params, metrics)
                self._log_files(run_id, artifacts)
                self._log_model(
                    entry,
                    run_id,
                    sk_model=model,
                    signature=_signature(columns, predictions),
                    input_example=_example(input_example),
                    pip_requirements=list(pip_requirements),
                    skops_trusted_types=list(trusted_types),
                )
                self._client.set_tag(run_id, MODEL_TAG, entry.model_id)
            except Exception:
                self._client.set_terminated(run_id, "FAILED")
                raise
            self._client.set_terminated(run_id, "FINISHED")
            return self._logged(self._client.get_run(run_id))

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
                return _read(local_path(f"{place}/{quote(path)}", self._root), path)
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

    def _log_numbers(
        self,
        entry: MlflowModel,
        run_id: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
    ) -> None:
        at = entry.creation_timestamp
        texts = [Param(key, str(value)[:MAX_PARAM]) for key, value in params.items()]
        numbers = [
            Metric(key, float(value), at, 0, model_id=entry.model_id, run_id=run_id)
            for key, value in metrics.items()
        ]
        self._client.log_outputs(run_id, [LoggedModelOutput(entry.model_id, step=0)])
        self._client.log_batch(run_id, metrics=numbers)
        for start in range(0, len(texts), BATCH):
            self._client.log_batch(run_id, params=texts[start : start + BATCH])

    def _log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as name:
            for path, content in artifacts.items():
                target = Path(name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            self._client.log_artifacts(run_id, name)

    def _log_model(self, entry: MlflowModel, run_id: str, **content: Any) -> None:
        description = Model(
            artifact_path=entry.artifact_location,
            model_uuid=entry.model_id,
            run_id=run_id,
            model_id=entry.model_id,
        )
        with tempfile.TemporaryDirectory() as name:
            directory = str(Path(name, "model"))
            mlflow.sklearn.save_model(
                path=directory,
                mlflow_model=description,
                serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
                **content,
            )
            _note_platform(Path(directory))
            self._client.log_model_artifacts(entry.model_id, directory)
        self._client.finalize_logged_model(entry.model_id, "READY")


def _note_platform(directory: Path) -> None:
    """Add what MLflow leaves out; ``registry.environment`` reads it, pip takes it as a comment."""
    with (directory / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write(f"\n# platform: {platform.system()} {platform.machine()}\n")


def _example(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first rows as MLflow writes them in strict JSON, null where a value is missing.

    In a column of numbers MLflow 3.17 would write NaN, which is not JSON; and it compares column
    names in a way that pandas 3 deprecates for text columns.
    """
    rows = frame.head(EXAMPLE_ROWS).set_axis(frame.columns.astype(object), axis="columns")
    rows = rows.astype(object)
    return rows.where(rows.notna(), None)


def _signature(columns: list[tuple[str, str, bool]], predictions: Any) -> ModelSignature:
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(kind, name, required) for name, kind, required in columns
    ]
    kind = mlflow_type(pd.Series(predictions).dtype, "prediction")
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec(kind)]))


def _check(
    run_id: str,
    experiment: str,
    model_name: str,
    metrics: Mapping[str, float],
    artifacts: Mapping[str, bytes],
) -> None:
    if not _RUN_ID.fullmatch(run_id):
        raise InvalidInputError(f"{run_id[:80]!r} cannot be a run id: letters, digits, _ and -.")
    for kind, name in (("experiment", experiment), ("model", model_name)):
        if not _NAME.fullmatch(name):
            raise InvalidInputError(
                f"{name[:80]!r} cannot name {kind}: 1 to 128 letters, digits, _ . and -."
            )
    if odd := [name for name, value in metrics.items() if not math.isfinite(value)]:
        raise InvalidInputError(f"Metrics must be finite; these are not: {', '.join(odd)}.")
    for path in map(PurePosixPath, artifacts):
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise InvalidInputError(f"Artifact path {str(path)!r} leaves the run's directory.")


def _read(file: Path, name: str) -> bytes:
    if not file.is_file():
        raise NotFoundError(f"The run has no file {name!r}.")
    with file.open("rb") as opened:
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise IntegrityViolationError(
            f"{name!r} has more than {MAX_FILE_BYTES} bytes; no more are read."
        )
    return content


@contextmanager
def _logging() -> Iterator[None]:
    """Turn what MLflow, its database and its server raise into an error of ours."""
    try:
        yield
    except OrchestratorError:
        raise
    except (MlflowException, SQLAlchemyError, OSError, *ODD_ANSWERS) as error:
        _log.warning("MLflow could not log a run", exc_info=True)
        text = next(iter(str(getattr(error, "message", error)).splitlines()), "no reason given")
        raise UnavailableError(
            f"MLflow could not log the run ({type(error).__name__}): {text[:300]}."
        ) from error


def _open(tracking_uri: str) -> MlflowClient:
    client = MlflowClient(tracking_uri)
    client.search_experiments(max_results=1)
    return client
