"""Signed versions: what a signature holds for, who must trust it, and what is a replay."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from tests.registry.flowers import ask, iris, log_flowers, make_desk, mlflow_uri, train

from ml_orchestrator.cli import main
from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.keys import Keyring
from ml_orchestrator.registry.store import SIGNATURE_TAG
from ml_orchestrator.serving.loader import load_model

EVERY_CHECK = [
    "is_signed", "signature_is_trusted", "signature_is_of_this_version", "is_no_replay",
    "has_manifest", "manifest_is_of_this_version", "manifest_matches_tag", "has_safe_files",
    "no_missing_files", "no_added_files", "no_changed_files", "signature_covers_manifest",
    "mlmodel_is_safe", "mlmodel_is_of_this_run", "has_only_known_files", "requirements_are_plain",
    "archive_is_plain", "types_are_trusted", "environment",
]  # fmt: skip


def client_of(home: Path) -> MlflowClient:
    return MlflowClient(mlflow_uri(home), mlflow_uri(home))


def directory_of(home: Path, version: int) -> Path:
    uri = client_of(home).get_model_version_download_uri("iris", str(version))
    return Path(uri.removeprefix("file://"))


def failed(desk: RegistryDesk, version: int, model: str = "iris") -> dict[str, str]:
    report = desk.vault.verify(model, version)
    assert report.ok is all(check.ok for check in report.checks)
    return {check.name: check.detail for check in report.checks if not check.ok}


def copied(
    home: Path, desk: RegistryDesk, *, model: str = "iris", run_id: str | None = None
) -> int:
    """Another client registers version 1 anew, with all its tags; return the new version."""
    client = client_of(home)
    first = client.get_model_version("iris", "1")
    if model != "iris":
        client.create_registered_model(model)
    made = client.create_model_version(
        model, source=str(first.source), run_id=run_id or first.run_id, tags=dict(first.tags)
    )
    return int(made.version)


def copy_manifest(home: Path, model: str, version: int) -> None:
    """Put the manifest and the statement of version 1 where those of another are expected."""
    manifests = home / "manifests"
    (manifests / model).mkdir(exist_ok=True)
    for suffix in ("json", "signed.json"):
        shutil.copy(manifests / "iris" / f"1.{suffix}", manifests / model / f"{version}.{suffix}")


def test_every_check_of_a_signed_version_is_named_with_what_was_found(desk: RegistryDesk) -> None:
    report = desk.vault.verify("iris", 1)
    assert [check.name for check in report.checks] == EVERY_CHECK
    assert report.ok
    assert all(check.detail for check in report.checks)
    desk.mover.move(ask(1, None, alias="champion"))
    plan = desk.mover.plan(ask(1, None, alias="production")).plan
    assert [check.ok for check in plan.checks if check.name == "is_verified"] == [True]


def test_the_files_and_signature_of_an_old_version_mean_nothing_under_a_new_number_or_name(
    home: Path, desk: RegistryDesk
) -> None:
    newer, renamed = copied(home, desk), copied(home, desk, model="rose")
    before = "signature_is_of_this_version"
    for model, version in (("iris", newer), ("rose", renamed)):
        assert before in failed(desk, version, model)
        copy_manifest(home, model, version)
        assert {before, "manifest_is_of_this_version"} <= failed(desk, version, model).keys()
        with pytest.raises(IntegrityViolationError, match=before):
            desk.vault.checkout(model, version).__enter__()
    assert "'iris' version 1" in failed(desk, newer)[before]
    with pytest.raises(IntegrityViolationError, match=before):
        desk.mover.move(ask(newer, None, alias="champion"))
    assert failed(desk, 1) == {}


def test_a_model_deleted_and_made_again_does_not_inherit_the_old_signature(
    home: Path, desk: RegistryDesk
) -> None:
    client = client_of(home)
    old = client.get_model_version("iris", "1")
    client.delete_registered_model("iris")
    client.create_registered_model("iris")
    client.create_model_version(
        "iris", source=str(old.source), run_id=old.run_id, tags=dict(old.tags)
    )
    assert "signature_is_of_this_version" in failed(desk, 1)

    logged = log_flowers(home, "anew")
    made = desk.vault.register("iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={})
    assert failed(desk, made.version) == {}  # version 2 once more, with a manifest of its own


def test_a_registry_that_was_set_back_is_a_replay(home: Path, desk: RegistryDesk) -> None:
    path = home / "manifests" / "iris" / "1.signed.json"
    seen = json.loads(path.read_text())
    seen["statement"]["registered_at"] = "2999-01-01T00:00:00.000+00:00"
    path.write_text(json.dumps(seen))
    assert "last seen here: 2999" in failed(desk, 1)["is_no_replay"]

    seen["statement"]["registered_at"] = json.loads(
        client_of(home).get_model_version("iris", "1").tags[SIGNATURE_TAG]
    )["statement"]["registered_at"]
    seen["statement"]["manifest_sha256"] = "0" * 64
    path.write_text(json.dumps(seen))
    assert "for other files" in failed(desk, 1)["is_no_replay"]
    path.write_text("?")
    assert set(failed(desk, 1)) == {"is_no_replay"}


def change(signed: dict[str, Any], **given: Any) -> str:
    statement = {**signed["statement"], **given.pop("statement", {})}
    return json.dumps({**signed, **given, "statement": statement})


FORGERIES: list[tuple[dict[str, Any], set[str]]] = [
    ({"statement": {"manifest_sha256": "0" * 64}},
     {"signature_is_trusted", "is_no_replay"}),
    ({"statement": {"version": 7}},
     {"signature_is_trusted", "signature_is_of_this_version", "is_no_replay"}),
    ({"statement": {"model": "rose"}},
     {"signature_is_trusted", "signature_is_of_this_version", "is_no_replay"}),
    ({"key": "0" * 64}, {"signature_is_trusted"}),
    ({"signature": "AAAA"}, {"signature_is_trusted"}),
    ({"signature": "x" * 201}, {"is_signed"}),
    ({"more": 1}, {"is_signed"}),
    ({"key": "a" * 9_000}, {"is_signed"}),
]  # fmt: skip


def test_a_forged_statement_is_found(home: Path, desk: RegistryDesk) -> None:
    client = client_of(home)
    signed = json.loads(client.get_model_version("iris", "1").tags[SIGNATURE_TAG])
    for given, expected in FORGERIES:
        client.set_model_version_tag("iris", "1", SIGNATURE_TAG, change(signed, **given))
        assert set(failed(desk, 1)) == expected, given
    client.set_model_version_tag("iris", "1", SIGNATURE_TAG, "not JSON")
    assert set(failed(desk, 1)) == {"is_signed"}


def test_a_manifest_and_files_that_were_exchanged_together_are_not_what_was_signed(
    home: Path, desk: RegistryDesk
) -> None:
    directory = directory_of(home, 1)
    path = home / "manifests" / "iris" / "1.json"
    path.unlink()
    (directory / "requirements.txt").write_text("scikit-learn\n")
    findings = failed(desk, 1)
    assert {"signature_covers_manifest", "manifest_matches_tag"} == set(findings)


def test_a_version_of_before_signatures_is_refused_with_what_to_do_until_a_person_signs_it(
    home: Path, desk: RegistryDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    client_of(home).delete_model_version_tag("iris", "1", SIGNATURE_TAG)
    (home / "manifests" / "iris" / "1.signed.json").unlink()
    assert set(failed(desk, 1)) == {"is_signed"}
    for alias in ("champion", "production"):
        with pytest.raises(IntegrityViolationError, match="ml-orchestrator keys sign iris 1"):
            desk.mover.move(ask(1, None, alias=alias))
    with pytest.raises(IntegrityViolationError, match="keys sign iris 1"):
        desk.vault.checkout("iris", 1).__enter__()

    with pytest.raises(SystemExit) as left:
        main(["--home", str(home), "keys", "sign", "iris", "1"])
    assert left.value.code == 0
    assert "Version 1 of iris is signed" in capsys.readouterr().out
    assert failed(desk, 1) == {}
    desk.mover.move(ask(1, None, alias="champion"))


def test_only_the_missing_signature_can_be_cured_by_signing(home: Path, desk: RegistryDesk) -> None:
    client = client_of(home)
    client.delete_model_version_tag("iris", "1", SIGNATURE_TAG)
    (directory_of(home, 1) / "requirements.txt").write_text("evil")
    with pytest.raises(IntegrityViolationError, match=r"not signed.*no_changed_files"):
        desk.vault.sign("iris", 1)
    assert "somebody removed the signature" in failed(desk, 1)["is_signed"]


def test_versions_of_a_rotated_key_hold_and_those_of_a_revoked_one_do_not(
    home: Path, desk: RegistryDesk
) -> None:
    keyring = Keyring(home)
    old = keyring.known()[0].fingerprint
    keyring.rotate()
    assert failed(desk, 1) == {}
    keyring.revoke(old)
    assert "was revoked" in failed(desk, 1)["signature_is_trusted"]
    assert desk.vault.sign("iris", 1).ok
    assert failed(desk, 1) == {}


def test_a_colleague_who_trusts_the_key_verifies_what_they_did_not_register(
    home: Path, desk: RegistryDesk, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    shutil.copyfile(home / "mlflow.db", theirs / "mlflow.db")
    shutil.copytree(home / "mlartifacts", theirs / "mlartifacts")
    move_artifacts(theirs, home)
    colleague = make_desk(theirs)
    assert set(failed(colleague, 1)) == {"signature_is_trusted", "has_manifest"}

    (tmp_path / "mine.pem").write_text(Keyring(home).public_pem())
    Keyring(theirs).trust(tmp_path / "mine.pem")
    assert failed(colleague, 1) == {}
    with colleague.vault.checkout("iris", 1) as copy:
        assert copy.manifest_digest == desk.vault.verify("iris", 1).manifest_digest

    for version in (1, 2):  # the manifest of version 1 was kept once it had held
        (directory_of(theirs, version) / "conda.yaml").write_text("name: other")
    assert failed(colleague, 1) == {"no_changed_files": "changed: conda.yaml"}
    assert set(failed(colleague, 2)) == {"signature_covers_manifest", "manifest_matches_tag"}


def move_artifacts(theirs: Path, home: Path) -> None:
    """Make a copied MLflow database name the copied files."""
    import sqlite3

    with sqlite3.connect(theirs / "mlflow.db") as database:
        for table, column in (
            ("model_versions", "source"),
            ("model_versions", "storage_location"),
            ("logged_models", "artifact_location"),
        ):
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(home), str(theirs))
            )
    database.close()


def test_files_of_one_run_are_not_registered_for_another(home: Path, desk: RegistryDesk) -> None:
    first, second = log_flowers(home, "one"), log_flowers(home, "two")
    with pytest.raises(IntegrityViolationError, match="mlmodel_is_of_this_run"):
        desk.vault.register("iris", source_uri=first.source_uri, run_id=second.run_id, tags={})
    assert {"is_signed", "has_manifest"} <= failed(desk, 3).keys()


def test_another_home_does_not_sign_other_bytes_than_were_registered(
    home: Path, desk: RegistryDesk
) -> None:
    logged = log_flowers(home, "iris-0")
    shutil.rmtree(home / "manifests")
    directory = directory_of(home, 1)
    (directory / "requirements.txt").write_text("scikit-learn\n")
    with pytest.raises(IntegrityViolationError, match="registered elsewhere with other files"):
        desk.vault.register("iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={})
    assert not (home / "manifests" / "iris" / "1.json").exists()


def test_what_is_loaded_is_the_copy_that_was_verified(home: Path, desk: RegistryDesk) -> None:
    original = directory_of(home, 1)
    content = (original / "model.skops").read_bytes()
    expected = train(c=1.0).predict(iris()[0]).tolist()
    with desk.vault.checkout("iris", 1) as copy:
        (original / "model.skops").write_bytes(b"exchanged between the check and the load")
        path = copy.directory / copy.description.model_file
        assert path.read_bytes() == content
        loaded = load_model(path, signature_inputs=copy.description.signature_inputs)
        assert loaded.estimator.predict(iris()[0]).tolist() == expected
        assert not path.is_symlink()
        assert path.stat().st_nlink == 1
        modes = [p.stat().st_mode & 0o777 for p in (path.parent, *path.parents[1:3])]
        assert modes == [0o700] * 3
    assert "no_changed_files" in failed(desk, 1)


def test_a_folder_for_copies_that_others_could_enter_is_closed(
    home: Path, desk: RegistryDesk
) -> None:
    (home / "loading").chmod(0o777)
    assert failed(desk, 1) == {}
    assert (home / "loading").stat().st_mode & 0o777 == 0o700
