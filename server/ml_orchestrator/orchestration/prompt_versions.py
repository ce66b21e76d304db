"""Prompts and rule sets that were found better, written where others read them."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ml_orchestrator.errors import ConflictError, NotFoundError
from ml_orchestrator.lifecycle._mlflow_prompts import MlflowPrompts
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.prompt_places import RegisteredPrompt, check_place
from ml_orchestrator.registry.store import RegistryStore
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.locks import exclusive

__all__ = ["PromptVersions", "prompt_versions"]

WAIT_S = 30.0


class PromptVersions:
    """Registers prompts and moves their aliases, one process of a data directory at a time.

    An alias moves by compare-and-set where MLflow's database can be asked. A remote server has no
    such request: there the alias is read before and after.
    """

    def __init__(
        self,
        prompts: MlflowPrompts,
        registry: RegistryStore,
        home: Path,
        *,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._prompts = prompts
        self._registry = registry
        self._home = home
        self._new_id = new_id

    def put(
        self,
        name: str,
        text: str,
        *,
        key: str,
        alias: str | None,
        tags: Mapping[str, str],
        message: str,
    ) -> RegisteredPrompt:
        """Register a version, once for each ``key``, and point ``alias`` to it.

        Raises:
            ConflictError: somebody moved the alias at the same moment; the version stays.
            PermissionDeniedError: the alias is for people.
            InvalidInputError: a name or the text cannot be used.
            UnavailableError: another process is registering this prompt for long.
        """
        check_place(name, alias)
        lock = self._home / "locks" / f"{name}.prompt"
        with exclusive(lock, doing=f"registering prompt {name}", wait_s=WAIT_S):
            before = None if alias is None else self._prompts.alias_version(name, alias)
            version = self._prompts.register(name, text, key=key, tags=tags, message=message)
            if alias is not None and before != version:
                self._move(name, alias, before, version)
        uri = f"prompts:/{name}@{alias}" if alias else f"prompts:/{name}/{version}"
        return RegisteredPrompt(name=name, version=version, alias=alias, uri=uri)

    def _move(self, name: str, alias: str, before: int | None, version: int) -> None:
        try:
            is_done = self._registry.move_alias(
                name, alias, from_version=before, to_version=version, move_id=self._new_id()
            )
        except NotFoundError:  # an MLflow server, asked for models, says so of a prompt's alias
            is_done = self._prompts.alias_version(name, alias) == before
            if is_done:
                self._prompts.set_alias(name, alias, version)
                is_done = self._prompts.alias_version(name, alias) == version
        if not is_done:
            raise ConflictError(
                f"Version {version} of prompt {name!r} is registered, but @{alias} was moved by "
                "somebody else at the same moment and left there. Look where it points in MLflow."
            )


@contextmanager
def prompt_versions(settings: Settings) -> Iterator[PromptVersions]:
    """Give the prompt registry and close the databases afterwards."""
    with registry_for_a_step(settings) as desk:
        prompts = MlflowPrompts(
            settings.mlflow_tracking_uri, settings.mlflow_registry_uri, settings.home
        )
        yield PromptVersions(prompts, desk.store, settings.home)
