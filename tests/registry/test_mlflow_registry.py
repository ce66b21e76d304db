from pathlib import Path

import pytest
from mlflow import MlflowClient
from tests.registry.flowers import log_flowers, make_desk, mlflow_uri, register_flowers

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError, NotFoundError
from ml_orchestrator.registry.desk import RegistryDesk

SOURCES = ["/etc", "file:///etc", "http://169.254.169.254/", "file:///dev/zero", "s3://b/../k"]


def client_of(home: Path) -> MlflowClient:
    return MlflowClient(mlflow_uri(home), mlflow_uri(home))


def failed(desk: RegistryDesk, version: int) -> dict[str, str]:
    report = desk.vault.verify("iris", version)
    assert report.ok is all(check.ok for check in report.checks)
    return {check.name: check.detail for check in report.checks if not check.ok}


def artifacts(home: Path, desk: RegistryDesk, version: int) -> Path:
    uri = client_of(home).get_model_version_download_uri("iris", str(version))
    return Path(uri.removeprefix("file://"))


def test_a_registered_version_tells_where_it_comes_from(desk: RegistryDesk) -> None:
    version = desk.store.version("iris", 1)
    assert version.metrics["accuracy"] > 0.9
    assert version.status == "READY"
    assert version.manifest_digest == desk.vault.verify("iris", 1).manifest_digest
    assert failed(desk, 1) == {}


def test_registering_a_run_twice_gives_one_version(home: Path, desk: RegistryDesk) -> None:
    logged = log_flowers(home, "once")
    given = {"source_uri": logged.source_uri, "run_id": logged.run_id, "tags": {"a": "b"}}
    first = desk.vault.register("iris", **given)  # type: ignore[arg-type]
    again = make_desk(home).vault.register("iris", **given)  # type: ignore[arg-type]
    assert first == again
    assert (first.version, first.tags["a"]) == (3, "b")


def test_a_manifest_is_never_made_anew_for_bytes_that_changed(
    home: Path, desk: RegistryDesk
) -> None:
    logged = log_flowers(home, "iris-0", c=1.0)
    (artifacts(home, desk, 1) / "requirements.txt").write_text("# evil")
    desk.vault.register("iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={})
    assert failed(desk, 1) == {"no_changed_files": "changed: requirements.txt"}


def test_lists_are_paged_and_know_aliases(home: Path, desk: RegistryDesk) -> None:
    register_flowers(home, desk, model="rose")
    desk.store.set_alias("iris", "champion", 1)
    desk.store.set_alias("iris", "challenger", 2)

    first, cursor = desk.store.models(limit=1, cursor=None)
    second, end = desk.store.models(limit=1, cursor=cursor)
    assert [(m.model, m.latest_version, m.aliases) for m in (*first, *second)] == [
        ("iris", 2, {"champion": 1, "challenger": 2}),
        ("rose", 1, {}),
    ]
    assert end is None

    newest, cursor = desk.store.versions("iris", limit=1, cursor=None)
    oldest, end = desk.store.versions("iris", limit=1, cursor=cursor)
    assert [(v.version, v.aliases) for v in (*newest, *oldest)] == [
        (2, ("challenger",)),
        (1, ("champion",)),
    ]
    assert end is None
    with pytest.raises(InvalidInputError):
        desk.store.models(limit=1, cursor="nonsense")


def test_unknown_things_name_what_is_known(desk: RegistryDesk) -> None:
    with pytest.raises(NotFoundError, match=r"'rose' in the data directory .*; known: iris"):
        desk.store.version("rose", 1)
    with pytest.raises(NotFoundError, match="no version 7; newest: 2, 1"):
        desk.store.version("iris", 7)
    with pytest.raises(NotFoundError, match=r"'rose' in the data directory .*; known: iris"):
        desk.store.alias_version("rose", "champion")
    with pytest.raises(NotFoundError, match=r"'irsi' \(did you mean 'iris'\?\) in the data"):
        desk.resolve("irsi", "champion")


def test_an_unknown_alias_is_told_with_those_there_are_and_what_does_instead(
    desk: RegistryDesk,
) -> None:
    with pytest.raises(NotFoundError) as without:
        desk.resolve("iris", "@champion")
    desk.store.set_alias("iris", "champion", 1)
    desk.store.set_alias("iris", "challenger", 2)
    said = []
    for alias in ("@chalenger", "Champion", "v2", "production"):
        with pytest.raises(NotFoundError) as refused:
            desk.resolve("iris", alias)
        said.append(str(refused.value))

    assert str(without.value) == (
        "No alias 'champion' on model 'iris'; known: none. Give the number of a version (newest: "
        "2); registry_list with model 'iris' shows all."
    )
    assert said == [
        f"No alias {asked} on model 'iris'{meant}; known: challenger, champion. Give one of these "
        "or the number of a version (newest: 2); registry_list with model 'iris' shows all."
        for asked, meant in (
            ("'chalenger'", " (did you mean 'challenger'?)"),
            ("'Champion'", " (did you mean 'champion'?)"),
            ("'v2'", ""),
            ("'production'", ""),
        )
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_a_hostile_source_makes_no_version(home: Path, desk: RegistryDesk, source: str) -> None:
    with pytest.raises(IntegrityViolationError, match="refused"):
        desk.vault.register("iris", source_uri=source, run_id="r" * 32, tags={})
    assert desk.store.model("iris").latest_version == 2


@pytest.mark.parametrize("source", SOURCES)
def test_a_hostile_source_that_another_client_registered_is_not_followed(
    home: Path, desk: RegistryDesk, source: str
) -> None:
    client_of(home).create_model_version("iris", source=source)
    findings = failed(desk, 3)
    assert "registered by another client" in findings["has_manifest"]
    assert "inside the artifact root" in findings["has_safe_files"]


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda d: (d / "model.skops").write_bytes(b"PK"), ("no_changed_files", "model.skops")),
        (lambda d: (d / "extra.py").write_text("x"), ("no_added_files", "extra.py")),
        (lambda d: (d / "conda.yaml").unlink(), ("no_missing_files", "conda.yaml")),
        (lambda d: (d / "link").symlink_to("/etc/passwd"), ("has_safe_files", "'link'")),
    ],
)
def test_damage_is_found_named_and_never_checked_out(
    home: Path, desk: RegistryDesk, damage: object, finding: tuple[str, str]
) -> None:
    damage(artifacts(home, desk, 1))  # type: ignore[operator]

    name, detail = finding
    assert detail in failed(desk, 1)[name]
    with pytest.raises(IntegrityViolationError, match=name), desk.vault.checkout("iris", 1):
        pytest.fail("handed out")


def test_the_manifest_of_another_version_does_not_fit(home: Path, desk: RegistryDesk) -> None:
    manifests = home / "manifests" / "iris"
    (manifests / "2.json").write_bytes((manifests / "1.json").read_bytes())
    findings = failed(desk, 2)
    assert "manifest_is_of_this_version" in findings
    assert "manifest_matches_tag" in findings
    assert "no_changed_files" in findings


def test_a_tag_that_another_client_overwrote_is_found(home: Path, desk: RegistryDesk) -> None:
    client_of(home).set_model_version_tag("iris", "1", "ml_orchestrator.manifest_sha256", "0" * 64)
    assert set(failed(desk, 1)) == {"manifest_matches_tag"}


def test_copies_are_private_and_removed(home: Path, desk: RegistryDesk) -> None:
    with desk.vault.checkout("iris", 1) as copy:
        assert copy.directory.stat().st_mode & 0o077 == 0
        assert copy.directory.is_relative_to(home)
        assert (copy.directory / copy.description.model_file).is_file()
    assert list((home / "loading").iterdir()) == []
