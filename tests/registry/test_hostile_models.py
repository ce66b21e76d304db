"""The corpus of malicious models, at every door: nothing runs, everything is refused by name.

Each model is registered by another MLflow client and then signed with our own key, so what
refuses it is a look at its content. The doors are the tools of a server (``registry_verify``,
``model_predict``), registration, and the loader.
"""

import os
import pickle
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pandas as pd
import pytest
import skops.io
from mcp.client import Client
from mcp.types import TextContent
from mlflow import MlflowClient
from tests.registry.estimators import ESTIMATORS, fitted
from tests.registry.flowers import iris, log_flowers, make_desk, mlflow_uri, train
from tests.registry.hostile_archives import ARCHIVES
from tests.registry.hostile_models import MODELS, PICKLED, Hostile, as_pickle
from tests.registry.watch import deeds, opened, watched

from ml_orchestrator.app import build_server
from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.lifecycle.models import LoggedModel
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.inspection import ModelPolicy, inspect_copy
from ml_orchestrator.registry.integrity import build_manifest, write_manifest
from ml_orchestrator.registry.keys import Keyring
from ml_orchestrator.registry.models import Check
from ml_orchestrator.registry.notary import Notary
from ml_orchestrator.registry.store import DIGEST_TAG, SIGNATURE_TAG
from ml_orchestrator.serving.loader import load_model
from ml_orchestrator.settings import Settings

WHOLE = os.environ.get("HOSTILE_MODELS") == "all"  # every entry through the client: minutes
# One of each kind goes through the client; the others are looked at as the vault does it.
SHOWN = (
    "file/pickle-4-named-skops", "file/joblib-zlib", "file/torch-zip", "file/slip-upwards",
    "file/bomb-in-a-matrix", "file/bad-checksum", "file/schema-laughs", "file/function-os-system",
    "file/trusted-by-itself", "file/methodcaller", "mlmodel/loader-module",
    "mlmodel/loader-module-that-shadows", "mlmodel/models-from-code", "mlmodel/path-upwards",
    "mlmodel/pickle-with-its-file", "mlmodel/yaml-laughs", "mlmodel/yaml-deep",
    "mlmodel/another-run", "files/bytecode", "files/git", "requirements/from-git",
    "requirements/index", "requirements/file",
    *(name for name in MODELS if name.startswith("tampered/")),
)  # fmt: skip
SHOWN_PICKLES = (
    "pickle/os.system", "pickle/numpy.f2py", "pickle/laughs-from-outside", "pickle/second-pickle",
    "pickle/array-of-no-end", "pickle/gzip",
)  # fmt: skip
LIMIT_S = 20.0
MAX_GROWTH_BYTES = 500_000_000
ROWS = [{str(name): 1.0 for name in iris()[0].columns}]


@dataclass
class Registry:
    """A data directory with one good model, and the means to plant others."""

    home: Path
    outside: Path
    good: LoggedModel
    desk: RegistryDesk
    client: MlflowClient

    @property
    def canary(self) -> Path:
        return self.outside / "canary"

    def plant(self, name: str, hostile: Hostile) -> int:
        """Register a hostile directory as another client would, sign it, return its version."""
        assert self.good.directory is not None
        directory = self.home / "mlartifacts" / "planted" / name
        shutil.copytree(self.good.directory, directory)
        if hostile.is_signed_before:
            version = self._register(directory)
            self._sign(directory, version)
            hostile.change(directory, self.canary)
        else:
            hostile.change(directory, self.canary)
            version = self._register(directory)
            self._sign(directory, version)
        return version

    def _register(self, directory: Path) -> int:
        made = self.client.create_model_version(
            "planted", source=directory.as_uri(), run_id=self.good.run_id
        )
        return int(made.version)

    def _sign(self, directory: Path, version: int) -> None:
        manifest = build_manifest(
            directory, model="planted", version=version, run_id=self.good.run_id
        )
        target = self.desk.store.version("planted", version)
        signed = Notary(Keyring(self.home), self.home).sign(target, manifest.digest)
        set_tag = self.desk.store.set_version_tag
        set_tag("planted", version, DIGEST_TAG, manifest.digest)
        set_tag("planted", version, SIGNATURE_TAG, signed.model_dump_json())
        write_manifest(self.home / "manifests" / "planted" / f"{version}.json", manifest)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Registry]:
    base = tmp_path_factory.mktemp("hostile")
    home, outside = base / "home", base / "outside"
    home.mkdir(mode=0o700)
    outside.mkdir()
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    good = log_flowers(home, "good")
    client = MlflowClient(mlflow_uri(home), mlflow_uri(home))
    client.create_registered_model("planted")
    yield Registry(home, outside, good, make_desk(home), client)
    shutil.rmtree(base)


async def said(client: Client, tool: str, version: int, **more: Any) -> tuple[bool, str, Any]:
    """Return whether it is an error, its text, and its content; each answer within a limit."""
    with anyio.fail_after(LIMIT_S):
        result = await client.call_tool(tool, {"model": "planted", "version": version, **more})
    first = result.content[0]
    assert isinstance(first, TextContent)
    return result.is_error, first.text, result.structured_content


async def verdict(client: Client, version: int, hostile: Hostile) -> str | None:
    """Return what was wrong with the answers about a hostile version; None if nothing was."""
    is_error, text, report = await said(client, "registry_verify", version)
    if is_error or (report["ok"] and not hostile.is_found_on_loading):
        return f"verify: {text[:200]}"
    failed = {check["name"] for check in report["checks"] if not check["ok"]}
    if hostile.found_by not in failed and not hostile.is_found_on_loading:
        return f"found by {failed}"
    if not hostile.is_signed_before and any("sign" in name for name in failed):
        return f"refused for its signature: {failed}"
    is_error, text, _ = await said(client, "model_predict", version, rows=ROWS)
    if not is_error or text.startswith("Error executing tool"):
        return f"predict: {text[:200]}"
    return None


async def judge(
    registry: Registry, corpus: dict[str, Hostile], **given: Any
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Ask both tools about every entry; return what went wrong, and what the process did."""
    settings = Settings.read({}, project_dir=registry.home.parent, home=registry.home, **given)
    versions = {name: registry.plant(name, hostile) for name, hostile in corpus.items()}
    wrong: dict[str, str] = {}
    async with Client(build_server(settings)) as client:
        await said(client, "registry_verify", next(iter(versions.values())))  # all is imported
        with watched() as found:
            for name, version in versions.items():
                if complaint := await verdict(client, version, corpus[name]):
                    wrong[name] = complaint
    return wrong, found


def check_deeds(registry: Registry, found: list[tuple[str, str]]) -> None:
    """Nothing was started or contacted, no file outside was opened, none was written."""
    assert deeds(found) == []
    assert list(registry.outside.iterdir()) == []
    assert [p for p in opened(found, "read") if p.is_relative_to(registry.outside)] == []
    ours = (registry.home, Path(tempfile.gettempdir()))
    odd = [p for p in opened(found, "write") if not any(p.is_relative_to(o) for o in ours)]
    assert odd == []
    assert not {"evil", "evilmod", "antigravity"} & sys.modules.keys()
    system = {Path("/etc/passwd"), Path("/etc/hostname"), Path("/dev/zero")}
    assert not system & set(opened(found, "read"))


async def test_hostile_models_are_refused_by_the_tools_and_nothing_runs(
    registry: Registry,
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, found = await judge(registry, {n: MODELS[n] for n in (MODELS if WHOLE else SHOWN)})

    assert wrong == {}
    check_deeds(registry, found)
    assert list((registry.home / "loading").iterdir()) == []
    growth_bytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert growth_bytes < MAX_GROWTH_BYTES


async def test_hostile_pickles_are_refused_by_the_tools_where_pickles_are_allowed(
    registry: Registry,
) -> None:
    names = PICKLED if WHOLE else SHOWN_PICKLES
    wrong, found = await judge(registry, {n: PICKLED[n] for n in names}, allow_pickle=True)

    assert wrong == {}
    check_deeds(registry, found)
    assert [what for event, what in found if event == "pickle.find_class"] == []


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("tampered/")])
def test_a_look_into_a_hostile_directory_finds_it_and_runs_nothing(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    assert registry.good.directory is not None
    directory = tmp_path / "model"
    shutil.copytree(registry.good.directory, directory)
    MODELS[name].change(directory, registry.canary)

    with watched() as found:
        try:
            checks, _ = inspect_copy(directory, run_id=registry.good.run_id, policy=ModelPolicy())
        except IntegrityViolationError as error:
            checks = [Check(name="has_safe_files", ok=False, detail=str(error))]

    failed = {check.name: check.detail for check in checks if not check.ok}
    assert failed.keys() == {MODELS[name].found_by}
    assert all(len(detail) < 1_000 for detail in failed.values())
    check_deeds(registry, found)


@pytest.mark.parametrize("name", ["file/method", "mlmodel/loader-module", "files/module"])
def test_a_hostile_model_is_not_signed_by_registering_it(registry: Registry, name: str) -> None:
    assert registry.good.directory is not None
    directory = registry.home / "mlartifacts" / "registered" / name
    shutil.copytree(registry.good.directory, directory)
    MODELS[name].change(directory, registry.canary)
    with pytest.raises(IntegrityViolationError, match=f"not signed.*{MODELS[name].found_by}"):
        registry.desk.vault.register(
            "registered", source_uri=directory.as_uri(), run_id=registry.good.run_id, tags={}
        )
    newest = registry.desk.store.model("registered").latest_version
    assert newest is not None
    assert SIGNATURE_TAG not in registry.desk.store.version("registered", newest).tags


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_loader_alone_refuses_every_hostile_file(registry: Registry, name: str) -> None:
    assert registry.good.directory is not None
    path = registry.home / "model.skops"
    shutil.copyfile(registry.good.directory / "model.skops", path)
    ARCHIVES[name][0](path, registry.canary)
    with watched() as found, pytest.raises(IntegrityViolationError):
        load_model(path, signature_inputs='[{"type": "double", "name": "a"}]')
    check_deeds(registry, found)


async def test_the_unchanged_model_is_verified_and_answers(registry: Registry) -> None:
    """Otherwise every refusal above would prove nothing."""
    settings = Settings.read({}, project_dir=registry.home.parent, home=registry.home)
    version = registry.plant("good", Hostile(lambda *_: None, "nothing"))
    async with Client(build_server(settings)) as client:
        assert (await said(client, "registry_verify", version))[2]["ok"]
        is_error, text, answer = await said(client, "model_predict", version, rows=ROWS)
    assert not is_error, text
    assert answer["predictions"][0] in set(iris()[1])


async def test_an_allowed_pickle_of_an_ordinary_estimator_answers_and_only_then(
    registry: Registry,
) -> None:
    content = pickle.dumps(train())
    version = registry.plant("ordinary-pickle", Hostile(as_pickle(lambda _: content), "nothing"))
    answers = []
    for allow_pickle in (True, False):
        settings = Settings.read(
            {}, project_dir=registry.home.parent, home=registry.home, allow_pickle=allow_pickle
        )
        async with Client(build_server(settings)) as client:
            answers.append(await said(client, "model_predict", version, rows=ROWS))
    assert answers[0][2]["predictions"] == train().predict(pd.DataFrame(ROWS)).tolist()
    assert answers[1][0]
    assert "ML_ORCHESTRATOR_ALLOW_PICKLE" in answers[1][1]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_ordinary_estimator_is_refused(registry: Registry, tmp_path: Path, name: str) -> None:
    assert registry.good.directory is not None
    estimator, table = fitted(name)
    directory = tmp_path / "model"
    shutil.copytree(registry.good.directory, directory)
    skops.io.dump(estimator, directory / "model.skops")

    checks, description = inspect_copy(directory, run_id=registry.good.run_id, policy=ModelPolicy())
    assert [check for check in checks if not check.ok] == []
    assert description is not None
    loaded = load_model(directory / "model.skops", signature_inputs=description.signature_inputs)
    assert loaded.estimator.predict(table).tolist() == estimator.predict(table).tolist()
