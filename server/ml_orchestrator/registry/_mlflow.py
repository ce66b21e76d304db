"""MLflow as the record of versions and aliases."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.registry._mlflow_files import copy_files, fetch_files, limit_answers
from ml_orchestrator.registry.alias_table import AliasState, alias_table
from ml_orchestrator.registry.models import ModelSummary, ModelVersion
from ml_orchestrator.registry.names import (
    check_alias,
    check_model,
    check_run_id,
    check_version,
)
from ml_orchestrator.registry.sources import logged_model_id, run_artifact
from ml_orchestrator.registry.store import DIGEST_TAG
from ml_orchestrator.storage.artifacts import artifact_place, local_path
from ml_orchestrator.storage.creation import sqlite_file, with_whole_file
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.locks import exclusive
from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))

from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

__all__ = ["MlflowRegistry"]

MAX_NAMED = 20
MAX_EVENT = 2**62  # later than any
# What an answer of another shape than MLflow's own leads to while it is read.
_ODD_ANSWERS = (
    ParseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_log = logging.getLogger(__name__)
limit_answers()


class MlflowRegistry:
    """Versions and aliases in MLflow; meets ``registry.store.RegistryStore``.

    Opening creates the database if there is none.
    """

    def __init__(self, tracking_uri: str, registry_uri: str, home: Path) -> None:
        self._tracking_uri = tracking_uri
        self._root = home / "mlartifacts"
        prepare_home(home)
        with _translated():
            for uri in (tracking_uri, registry_uri):
                with_whole_file(uri, doing="creating MLflow's database", build=_open)
            self._client = _open(tracking_uri, registry_uri)
            self._table = alias_table(registry_uri)
            if self._table is not None:
                with exclusive(
                    sqlite_file(registry_uri) or home / "alias-log", doing="preparing the alias log"
                ):
                    self._table.install()

    def register(self, model: str, *, source_uri: str, run_id: str, tags: Mapping[str, str]) -> int:
        """Return the version made from ``run_id``, registering it unless that was done.

        Args:
            model: Name of the registered model; created if it is new.
            source_uri: ``models:/m-…``, ``runs:/RUN/PATH`` or a directory in the artifact root.
            run_id: MLflow run that made it; at most one version per run, source and model.
            tags: Tags of the new version.
        """
        check_model(model)
        check_run_id(run_id)
        location = self._location(source_uri)
        with _translated():
            self._create_model(model)
            done = self._client.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
            if same := [found for found in done if found.source == location]:
                return min(int(found.version) for found in same)
            created = self._client.create_model_version(
                model,
                source=location,
                run_id=run_id,
                tags=dict(tags),
                model_id=logged_model_id(source_uri),
            )
        return int(created.version)

    def models(
        self, *, limit: int, cursor: str | None
    ) -> tuple[tuple[ModelSummary, ...], str | None]:
        """Return one page of models in order of name, and the cursor of the next page."""
        with _translated():
            page = self._client.search_registered_models(
                max_results=limit, order_by=["name ASC"], page_token=cursor
            )
            # A search leaves aliases out (3.17), so each model is fetched.
            full = [self._client.get_registered_model(found.name) for found in page[:limit]]
            return tuple(self._summary(found) for found in full), _cursor(page.token)

    def model(self, name: str) -> ModelSummary:
        """Return one model and its aliases."""
        found = self._registered(name)
        with _translated():
            return self._summary(found)

    def versions(
        self, model: str, *, limit: int, cursor: str | None
    ) -> tuple[tuple[ModelVersion, ...], str | None]:
        """Return one page of versions, newest first, and the cursor of the next page."""
        aliases = self._registered(model).aliases
        with _translated():
            page = self._client.search_model_versions(
                f"name = '{model}'",
                max_results=limit,
                order_by=["version_number DESC"],
                page_token=cursor,
            )
            whole = tuple(self._version(found, aliases) for found in page[:limit])
            return whole, _cursor(page.token)

    def version(self, model: str, version: int) -> ModelVersion:
        """Return one version."""
        aliases = self._registered(model).aliases
        found = self._found_version(model, version)
        with _translated():
            return self._version(found, aliases)

    def manifest_digest(self, model: str, version: int) -> str | None:
        """Return the digest that one version is tagged with, in a single question."""
        tag = self._found_version(model, version).tags.get(DIGEST_TAG)
        return None if tag is None else str(tag)

    def alias_version(self, model: str, alias: str) -> int | None:
        """Return where ``alias`` points; None if it is unset."""
        if self._table is not None:
            return self.alias_state(model, alias, after=MAX_EVENT).version
        check_model(model)
        check_alias(alias)
        with _translated():
            try:
                return int(self._client.get_model_version_by_alias(model, alias).version)
            except MlflowException as error:
                # The SQL store calls an unset alias an invalid parameter (3.17).
                if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    raise
        version = self._registered(model).aliases.get(alias)
        with _translated():
            return None if version is None else int(version)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Point ``alias`` to ``version``, whatever it pointed to before."""
        check_model(model)
        check_alias(alias)
        check_version(version)
        with _translated():
            self._client.set_registered_model_alias(model, alias, str(version))

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove ``alias``; it need not exist."""
        check_alias(alias)
        self._registered(model)
        with _translated():
            self._client.delete_registered_model_alias(model, alias)

    def alias_state(self, model: str, alias: str, *, after: int) -> AliasState:
        """Return where ``alias`` points and its events later than ``after``, in one snapshot."""
        if self._table is None:
            return AliasState(self.alias_version(model, alias))
        check_model(model)
        check_alias(alias)
        with _translated():
            state = self._table.state(model, alias, after=after)
        if state.version is None:
            self._registered(model)
        return state

    def aliases_with_events(self) -> frozenset[tuple[str, str]]:
        """Return model and alias of everything that has an event."""
        with _translated():
            return frozenset() if self._table is None else self._table.names()

    def move_alias(
        self,
        model: str,
        alias: str,
        *,
        from_version: int | None,
        to_version: int | None,
        move_id: str,
    ) -> bool:
        """Move ``alias`` if it points to ``from_version``, and say whether it does now."""
        if self._table is None:
            return self._move_by_server(model, alias, from_version, to_version)
        check_model(model)
        check_alias(alias)
        with _translated():
            return self._table.move(
                model, alias, from_version=from_version, to_version=to_version, mark=move_id
            )

    def _move_by_server(
        self, model: str, alias: str, from_version: int | None, to_version: int | None
    ) -> bool:
        if self.alias_version(model, alias) != from_version:
            return False
        if to_version is None:
            self.delete_alias(model, alias)
        else:
            self.set_alias(model, alias, to_version)
        return self.alias_version(model, alias) == to_version

    def set_version_tag(self, model: str, version: int, key: str, value: str) -> None:
        """Set one tag of a version."""
        check_model(model)
        check_version(version)
        with _translated():
            self._client.set_model_version_tag(model, str(version), key, value)

    def download(self, model: str, version: int, destination: Path) -> Path:
        """Copy the files of a version into ``destination``, made private, and return it.

        Raises:
            IntegrityViolationError: the files lie outside the artifact root, or are links.
        """
        check_model(model)
        check_version(version)
        with _translated():
            source = self._client.get_model_version_download_uri(model, str(version))
        location = self._location(source)
        destination.mkdir(mode=0o700, parents=True)
        if location.startswith("mlflow-artifacts:"):
            with _translated():
                fetch_files(location, destination, tracking_uri=self._tracking_uri)
        else:
            copy_files(local_path(location, self._root), destination)
        return destination

    def _location(self, source: str) -> str:
        """Return where the files of ``source`` lie, once that place is known to be ours."""
        with _translated():
            if model_id := logged_model_id(source):
                location = self._client.get_logged_model(model_id).artifact_location
            elif found := run_artifact(source):
                location = f"{self._client.get_run(found[0]).info.artifact_uri}/{found[1]}"
            else:
                location = source
        return artifact_place(location, root=self._root, tracking_uri=self._tracking_uri)

    def _create_model(self, model: str) -> None:
        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _registered(self, name: str) -> RegisteredModel:
        check_model(name)
        with _translated():
            try:
                found = self._client.get_registered_model(name)
                _must_be_about(name, found.name)
                return found
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
            page = self._client.search_registered_models(max_results=MAX_NAMED)
        known = ", ".join(found.name for found in page) or "none yet; train one first"
        raise NotFoundError(f"No registered model named {name!r}; known: {known}.")

    def _found_version(self, model: str, version: int) -> MlflowVersion:
        check_model(model)
        check_version(version)
        with _translated():
            try:
                found = self._client.get_model_version(model, str(version))
                _must_be_about(f"{model}/{version}", f"{found.name}/{found.version}")
                return found
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        self._registered(model)
        with _translated():
            page = self._client.search_model_versions(
                f"name = '{model}'", max_results=MAX_NAMED, order_by=["version_number DESC"]
            )
        known = ", ".join(str(found.version) for found in page) or "none"
        raise NotFoundError(f"Model {model!r} has no version {version}; newest: {known}.")

    @staticmethod
    def _summary(found: RegisteredModel) -> ModelSummary:
        numbers = [int(version.version) for version in found.latest_versions]
        return ModelSummary(
            model=found.name,
            latest_version=max(numbers, default=None),
            aliases={alias: int(version) for alias, version in found.aliases.items()},
            created_at=_moment(found.creation_timestamp),
            updated_at=_moment(found.last_updated_timestamp),
        )

    def _version(self, found: MlflowVersion, aliases: Mapping[str, str]) -> ModelVersion:
        run = self._run(found.run_id)
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
        )

    def _run(self, run_id: str | None) -> Run | None:
        """Return the run of a version; None if there never was one or it was deleted."""
        if not run_id:
            return None
        try:
            return self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def _must_be_about(asked: str, answered: str) -> None:
    if asked != answered:
        raise UnavailableError(f"MLflow was asked for {asked!r} and answered {answered[:80]!r}.")


def _cursor(token: str | bytes | None) -> str | None:
    """Return a page token as text; the SQL store gives bytes (3.17)."""
    return (token.decode() if isinstance(token, bytes) else token) or None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what MLflow and its database raise into errors of ours."""
    try:
        yield
    except OrchestratorError:
        raise
    except MlflowException as error:
        raise _typed(error) from error
    except SQLAlchemyError as error:
        # The first setting of an alias by two clients at once ends here (3.17).
        raise UnavailableError(
            f"MLflow's database refused ({type(error).__name__}). Nothing was written; try again."
        ) from error
    except OSError as error:
        raise UnavailableError(f"MLflow cannot be reached: {_line(error)}.") from error
    except _ODD_ANSWERS as error:
        _log.warning("MLflow gave an answer that cannot be read", exc_info=True)
        raise UnavailableError(
            f"MLflow gave an answer that cannot be read ({type(error).__name__}: {_line(error)}). "
            "Is a server of MLflow 3 at that address?"
        ) from error


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]


def _typed(error: MlflowException) -> Exception:
    message = next(iter(str(error.message).splitlines()), "no reason given")[:300]
    if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}:
        return NotFoundError(f"MLflow found nothing: {message}")
    if error.error_code == "RESOURCE_ALREADY_EXISTS":
        return ConflictError(f"MLflow has it already: {message}")
    if error.error_code in {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}:
        return InvalidInputError(f"MLflow refused: {message}")
    return UnavailableError(f"MLflow cannot serve now: {message}. Try again in a moment.")


def _open(tracking_uri: str, registry_uri: str | None = None) -> MlflowClient:
    client = MlflowClient(tracking_uri, registry_uri or tracking_uri)
    client.search_experiments(max_results=1)
    client.search_registered_models(max_results=1)
    return client
