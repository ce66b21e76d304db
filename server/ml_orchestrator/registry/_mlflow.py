"""MLflow as the record of versions and aliases."""

import os
from collections.abc import Mapping
from pathlib import Path

from ml_orchestrator.registry._mlflow_records import (
    found_version,
    page_cursor,
    registered,
    summary_of,
    version_of,
)
from ml_orchestrator.registry.alias_table import AliasState, alias_table
from ml_orchestrator.registry.integrity import MAX_FILES, MAX_MODEL_BYTES, copy_files
from ml_orchestrator.registry.models import ModelSummary, ModelVersion
from ml_orchestrator.registry.names import (
    check_alias,
    check_model,
    check_run_id,
    check_version,
)
from ml_orchestrator.registry.sources import logged_model_id, run_artifact
from ml_orchestrator.registry.store import DIGEST_TAG
from ml_orchestrator.storage._mlflow.errors import translated
from ml_orchestrator.storage._mlflow.files import fetch_tree
from ml_orchestrator.storage.artifacts import artifact_place, local_path
from ml_orchestrator.storage.creation import sqlite_file, with_whole_file
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.locks import exclusive
from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

__all__ = ["MlflowRegistry"]

MAX_EVENT = 2**62  # later than any


class MlflowRegistry:
    """Versions and aliases in MLflow; meets ``registry.store.RegistryStore``.

    Opening creates the database if there is none.
    """

    def __init__(self, tracking_uri: str, registry_uri: str, home: Path) -> None:
        self._tracking_uri = tracking_uri
        self._root = home / "mlartifacts"
        is_here = (sqlite_file(registry_uri) or Path()).is_relative_to(home)
        self._place = f"the data directory {home}" if is_here else "the registry that is set"
        prepare_home(home)
        with translated():
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
        with translated():
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
        with translated():
            page = self._client.search_registered_models(
                max_results=limit, order_by=["name ASC"], page_token=cursor
            )
            # A search leaves aliases out (3.17), so each model is fetched.
            full = [self._client.get_registered_model(found.name) for found in page[:limit]]
            return tuple(summary_of(found) for found in full), page_cursor(page.token)

    def model(self, name: str) -> ModelSummary:
        """Return one model and its aliases."""
        found = registered(self._client, name, self._place)
        with translated():
            return summary_of(found)

    def versions(
        self, model: str, *, limit: int, cursor: str | None
    ) -> tuple[tuple[ModelVersion, ...], str | None]:
        """Return one page of versions, newest first, and the cursor of the next page."""
        aliases = registered(self._client, model, self._place).aliases
        with translated():
            page = self._client.search_model_versions(
                f"name = '{model}'",
                max_results=limit,
                order_by=["version_number DESC"],
                page_token=cursor,
            )
            whole = tuple(version_of(self._client, found, aliases) for found in page[:limit])
            return whole, page_cursor(page.token)

    def version(self, model: str, version: int) -> ModelVersion:
        """Return one version."""
        aliases = registered(self._client, model, self._place).aliases
        found = found_version(self._client, model, version, self._place)
        with translated():
            return version_of(self._client, found, aliases)

    def manifest_digest(self, model: str, version: int) -> str | None:
        """Return the digest that one version is tagged with, in a single question."""
        tag = found_version(self._client, model, version, self._place).tags.get(DIGEST_TAG)
        return None if tag is None else str(tag)

    def alias_version(self, model: str, alias: str) -> int | None:
        """Return where ``alias`` points; None if it is unset."""
        if self._table is not None:
            return self.alias_state(model, alias, after=MAX_EVENT).version
        check_model(model)
        check_alias(alias)
        with translated():
            try:
                return int(self._client.get_model_version_by_alias(model, alias).version)
            except MlflowException as error:
                # The SQL store calls an unset alias an invalid parameter (3.17).
                if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    raise
        version = registered(self._client, model, self._place).aliases.get(alias)
        with translated():
            return None if version is None else int(version)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Point ``alias`` to ``version``, whatever it pointed to before."""
        check_model(model)
        check_alias(alias)
        check_version(version)
        with translated():
            self._client.set_registered_model_alias(model, alias, str(version))

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove ``alias``; it need not exist."""
        check_alias(alias)
        registered(self._client, model, self._place)
        with translated():
            self._client.delete_registered_model_alias(model, alias)

    def alias_state(self, model: str, alias: str, *, after: int) -> AliasState:
        """Return where ``alias`` points and its events later than ``after``, in one snapshot."""
        if self._table is None:
            return AliasState(self.alias_version(model, alias))
        check_model(model)
        check_alias(alias)
        with translated():
            state = self._table.state(model, alias, after=after)
        if state.version is None:
            registered(self._client, model, self._place)
        return state

    def aliases_with_events(self) -> frozenset[tuple[str, str]]:
        """Return model and alias of everything that has an event."""
        with translated():
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
        with translated():
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
        with translated():
            self._client.set_model_version_tag(model, str(version), key, value)

    def download(self, model: str, version: int, destination: Path) -> Path:
        """Copy the files of a version into ``destination``, made private, and return it.

        Raises:
            IntegrityViolationError: the files lie outside the artifact root, or are links.
        """
        check_model(model)
        check_version(version)
        with translated():
            source = self._client.get_model_version_download_uri(model, str(version))
        location = self._location(source)
        with translated():
            destination.mkdir(mode=0o700, parents=True)
            if not location.startswith("mlflow-artifacts:"):
                copy_files(local_path(location, self._root), destination)
                return destination
            fetch_tree(
                location,
                destination,
                tracking_uri=self._tracking_uri,
                max_files=MAX_FILES,
                max_bytes=MAX_MODEL_BYTES,
            )
        return destination

    def _location(self, source: str) -> str:
        """Return where the files of ``source`` lie, once that place is known to be ours."""
        with translated():
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


def _open(tracking_uri: str, registry_uri: str | None = None) -> MlflowClient:
    client = MlflowClient(tracking_uri, registry_uri or tracking_uri)
    client.search_experiments(max_results=1)
    client.search_registered_models(max_results=1)
    return client
