"""MLflow's prompt registry: versions of prompts, each with what speaks for it.

MLflow keeps a prompt as a registered model with tags of its own, so names and aliases are those of
models, and a name is either a model's or a prompt's.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.storage._mlflow.errors import translated
from ml_orchestrator.storage.creation import with_whole_file
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))

from mlflow import MlflowClient
from mlflow.entities.model_registry import PromptVersion
from mlflow.exceptions import MlflowException

__all__ = ["KEY_TAG", "MlflowPrompts"]

KEY_TAG = "ml_orchestrator.source"  # what a version was made of: the same again is the same
MAX_TEMPLATE = 60_000  # characters; MLflow keeps a prompt in a tag, of at most 100,000 bytes
MAX_PAGES = 100
_NOT_THERE = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE"}


class MlflowPrompts:
    """Prompts of one MLflow. Thread-safe. Opening creates the database if there is none."""

    def __init__(self, tracking_uri: str, registry_uri: str, home: Path) -> None:
        prepare_home(home)
        with translated():
            for uri in (tracking_uri, registry_uri):
                with_whole_file(uri, doing="creating MLflow's database", build=_open)
            self._client = MlflowClient(tracking_uri, registry_uri)

    def register(
        self, name: str, text: str, *, key: str, tags: Mapping[str, str], message: str
    ) -> int:
        """Return the version that holds ``text``, making it unless ``key`` made one before.

        Args:
            name: Of the prompt; made if it is new. Placeholders are written ``{{name}}``.
            text: Up to 60,000 characters.
            key: What the version is made of, such as a run.
            tags: Of the version.
            message: What it is, in a line.

        Raises:
            ConflictError: ``name`` is a model's, or ``key`` made a version with another text.
            InvalidInputError: the text is empty or too long.
        """
        if not text.strip() or len(text) > MAX_TEMPLATE:
            raise InvalidInputError(
                f"A prompt of 1 to {MAX_TEMPLATE:,} characters can be registered; this one has "
                f"{len(text):,}."
            )
        self.ensure(name)
        if found := self._made_of(name, key):
            if found.template != text:
                raise ConflictError(
                    f"Version {found.version} of prompt {name!r} was made of {key!r} with another "
                    "text. Register under another name."
                )
            return int(found.version)
        with translated():
            made = self._client.create_prompt_version(
                name, text, description=message, tags={**tags, KEY_TAG: key}
            )
        return int(made.version)

    def ensure(self, name: str) -> None:
        """Make the prompt if it is new, without a version.

        Raises:
            ConflictError: ``name`` is a model's.
        """
        with translated():
            if self._client.get_prompt(name) is not None:
                return
            try:
                self._client.create_prompt(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                if self._client.get_prompt(name) is None:
                    raise ConflictError(
                        f"{name!r} is the name of a model; MLflow takes it for one thing only. "
                        "Choose another for the prompt."
                    ) from error

    def text(self, name: str, version: int) -> str:
        """Return the text of a version.

        Raises:
            NotFoundError: there is no such prompt or version.
        """
        found = self._find(name, version)
        if found is None:
            raise NotFoundError(f"No version {version} of a prompt {name!r} in MLflow.")
        return str(found.template)

    def alias_version(self, name: str, alias: str) -> int | None:
        """Return where an alias points; None if it is unset, or there is no such prompt."""
        found = self._find(name, alias)
        return None if found is None else int(found.version)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias to a version, whatever it pointed to before."""
        with translated():
            self._client.set_prompt_alias(name, alias, version)

    def _find(self, name: str, version: int | str) -> PromptVersion | None:
        with translated():
            try:
                found: PromptVersion | None = self._client.get_prompt_version(name, version)
            except MlflowException as error:
                if error.error_code not in _NOT_THERE:
                    raise
                return None
            return found

    def _made_of(self, name: str, key: str) -> PromptVersion | None:
        token: str | None = None
        with translated():
            for _ in range(MAX_PAGES):
                page = self._client.search_prompt_versions(name, max_results=100, page_token=token)
                for found in page:
                    if found.tags.get(KEY_TAG) == key:
                        version: PromptVersion = found
                        return version
                token = page.token
                if not token:
                    break
        return None


def _open(uri: str) -> None:
    MlflowClient(uri).search_experiments(max_results=1)
