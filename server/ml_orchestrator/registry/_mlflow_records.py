"""What MLflow knows of a model or a version, asked for and read into records of ours."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from ml_orchestrator.errors import NotFoundError, UnavailableError
from ml_orchestrator.faults import near
from ml_orchestrator.registry.leaks import leak_warnings
from ml_orchestrator.registry.models import ModelSummary, ModelVersion
from ml_orchestrator.registry.names import check_model, check_version
from ml_orchestrator.registry.store import DIGEST_TAG
from ml_orchestrator.storage._mlflow.errors import translated
from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

__all__ = ["found_version", "page_cursor", "registered", "summary_of", "version_of"]

MAX_NAMED = 20


def registered(client: MlflowClient, name: str, place: str) -> RegisteredModel:
    """Return a registered model; ``place`` is where ``client`` looks, in words.

    Raises:
        NotFoundError: there is none; the message lists some that there are.
        UnavailableError: MLflow cannot answer, or answers about another model.
    """
    check_model(name)
    with translated():
        try:
            found = client.get_registered_model(name)
            _must_be_about(name, found.name)
            return found
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        page = client.search_registered_models(max_results=MAX_NAMED)
    names = [found.name for found in page]
    known = ", ".join(names) or "none yet; train one first"
    raise NotFoundError(
        f"No registered model named {name!r}{near(name, names)} in {place}; known: {known}."
    )


def found_version(client: MlflowClient, model: str, version: int, place: str) -> MlflowVersion:
    """Return a version of a model.

    Raises:
        NotFoundError: there is no such model, or no such version of it.
        UnavailableError: MLflow cannot answer, or answers about another version.
    """
    check_model(model)
    check_version(version)
    with translated():
        try:
            found = client.get_model_version(model, str(version))
            _must_be_about(f"{model}/{version}", f"{found.name}/{found.version}")
            return found
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    registered(client, model, place)
    with translated():
        page = client.search_model_versions(
            f"name = '{model}'", max_results=MAX_NAMED, order_by=["version_number DESC"]
        )
    known = ", ".join(str(found.version) for found in page) or "none"
    raise NotFoundError(f"Model {model!r} has no version {version}; newest: {known}.")


def summary_of(found: RegisteredModel) -> ModelSummary:
    """Return a model and where its aliases point."""
    numbers = [int(version.version) for version in found.latest_versions]
    return ModelSummary(
        model=found.name,
        latest_version=max(numbers, default=None),
        aliases={alias: int(version) for alias, version in found.aliases.items()},
        created_at=_moment(found.creation_timestamp),
        updated_at=_moment(found.last_updated_timestamp),
    )


def version_of(
    client: MlflowClient, found: MlflowVersion, aliases: Mapping[str, str]
) -> ModelVersion:
    """Return a version with the metrics of its run; ``aliases`` are those of its model."""
    run = _run(client, found.run_id)
    return ModelVersion(
        model=found.name,
        version=int(found.version),
        run_id=found.run_id or None,
        created_at=_moment(found.creation_timestamp),
        aliases=tuple(
            sorted(name for name, at in aliases.items() if int(at) == int(found.version))
        ),
        tags=dict(found.tags),
        metrics=dict(run.data.metrics) if run else {},
        status=found.status,
        manifest_digest=found.tags.get(DIGEST_TAG),
        warnings=leak_warnings(found.tags),
    )


def page_cursor(token: str | bytes | None) -> str | None:
    """Return a page token as text; the SQL store gives bytes (3.17)."""
    return (token.decode() if isinstance(token, bytes) else token) or None


def _run(client: MlflowClient, run_id: str | None) -> Run | None:
    """Return the run of a version; None if there never was one or it was deleted."""
    if not run_id:
        return None
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _must_be_about(asked: str, answered: str) -> None:
    if asked != answered:
        raise UnavailableError(f"MLflow was asked for {asked!r} and answered {answered[:80]!r}.")


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
