"""Prompts in MLflow's registry, as another MLflow client sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ml_orchestrator.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from ml_orchestrator.orchestration import prompt_versions as prompt_versions_module
from ml_orchestrator.orchestration.prompt_versions import PromptVersions, prompt_versions
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.locks import exclusive

TEXT = 'Sum up {{text}} in 3 sentences. Answer as {"summary": "…"}.'


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings.read({}, home=home, project_dir=home)


@pytest.fixture
def versions(settings: Settings) -> Iterator[PromptVersions]:
    with prompt_versions(settings) as opened:
        yield opened


@pytest.fixture
def other(settings: Settings, versions: PromptVersions) -> MlflowClient:
    return MlflowClient(settings.mlflow_tracking_uri, settings.mlflow_registry_uri)


def put(versions: PromptVersions, **changes: object) -> object:
    given: dict[str, object] = {
        "key": "gp-1", "alias": "challenger", "tags": {"level": "L2"}, "message": "better",
    }  # fmt: skip
    return versions.put("summary", TEXT, **{**given, **changes})  # type: ignore[arg-type]


def test_a_registered_prompt_is_what_another_client_loads_by_its_alias(
    versions: PromptVersions, other: MlflowClient
) -> None:
    put(versions)
    put(versions)  # a retry makes no second version
    found = other.get_prompt_version("summary", "challenger")
    assert found is not None
    assert (found.version, found.template, found.tags["level"]) == (1, TEXT, "L2")
    assert len(other.search_prompt_versions("summary")) == 1
    put(versions, key="gp-2")
    assert other.get_prompt_version("summary", "challenger").version == 2


def test_without_an_alias_none_is_moved(versions: PromptVersions, other: MlflowClient) -> None:
    put(versions)
    put(versions, key="gp-2", alias=None)
    assert other.get_prompt_version("summary", "challenger").version == 1


def test_an_alias_that_somebody_moves_meanwhile_is_left_where_they_put_it(
    versions: PromptVersions, other: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(versions)
    put(versions, key="gp-2", alias=None)
    register = versions._prompts.register

    def interrupted(*args: object, **kwargs: object) -> int:
        other.set_prompt_alias("summary", "challenger", 2)
        return register(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(versions._prompts, "register", interrupted)
    with pytest.raises(ConflictError, match="moved by somebody else at the same moment"):
        put(versions, key="gp-3")
    assert other.get_prompt_version("summary", "challenger").version == 2


@pytest.mark.parametrize("moved", ["before", "after"])
def test_a_server_without_compare_and_set_is_asked_again_after_the_move(
    versions: PromptVersions, other: MlflowClient, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    put(versions)
    put(versions, key="gp-2", alias=None)
    set_alias = versions._prompts.set_alias

    def unknown(*_: object, **__: object) -> bool:
        if moved == "before":
            other.set_prompt_alias("summary", "challenger", 2)
        raise NotFoundError("no such model")

    def overtaken(name: str, alias: str, version: int) -> None:
        set_alias(name, alias, version)
        other.set_prompt_alias(name, alias, 2)

    monkeypatch.setattr(versions._registry, "move_alias", unknown)
    if moved == "after":
        monkeypatch.setattr(versions._prompts, "set_alias", overtaken)
    with pytest.raises(ConflictError, match="moved by somebody else at the same moment"):
        put(versions, key="gp-3")
    assert other.get_prompt_version("summary", "challenger").version == 2


def test_who_registers_a_prompt_waits_for_who_does_already(
    versions: PromptVersions, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_versions_module, "WAIT_S", 0.0)
    with (
        exclusive(home / "locks" / "summary.prompt", doing="testing"),
        pytest.raises(UnavailableError, match="registering prompt summary"),
    ):
        put(versions)
    put(versions)


def test_what_is_for_people_or_for_models_is_refused(
    versions: PromptVersions, other: MlflowClient
) -> None:
    with pytest.raises(PermissionDeniedError, match="moved by a person"):
        put(versions, alias="production")
    other.create_registered_model("ranker")
    with pytest.raises(ConflictError, match="is the name of a model"):
        versions.put("ranker", TEXT, key="k", alias=None, tags={}, message="")
    put(versions)
    with pytest.raises(ConflictError, match="with another text"):
        versions.put("summary", "other", key="gp-1", alias=None, tags={}, message="")
    with pytest.raises(InvalidInputError, match="1 to 60,000 characters"):
        versions.put("summary", "x" * 60_001, key="k", alias=None, tags={}, message="")
