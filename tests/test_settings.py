"""Settings: where they come from, and what a child process sees of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.settings import Settings


def test_an_argument_comes_before_the_environment_and_that_before_the_default(
    tmp_path: Path,
) -> None:
    environ = {"ML_ORCHESTRATOR_WORKER_IDLE_S": "7", "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR"}

    settings = Settings.read(environ, project_dir=tmp_path, log_level="DEBUG")

    assert (settings.worker_idle_s, settings.log_level, settings.mode) == (7, "DEBUG", "operator")
    assert settings.home == tmp_path / ".ml-orchestrator"


def test_the_project_is_the_one_claude_code_names(tmp_path: Path) -> None:
    assert Settings.read({"CLAUDE_PROJECT_DIR": str(tmp_path)}).project_dir == tmp_path


def test_a_bad_value_names_its_variable() -> None:
    with pytest.raises(InvalidInputError, match="ML_ORCHESTRATOR_LEASE_TTL_S"):
        Settings.read({"ML_ORCHESTRATOR_LEASE_TTL_S": "soon"})


def test_relative_places_mean_the_same_in_a_process_with_another_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ours = Settings.read(
        {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db", "ML_ORCHESTRATOR_DATA_ROOTS": "data"}
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    theirs = Settings.read(child_environment(ours, {}))

    assert theirs == ours
    assert ours.mlflow_tracking_uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert ours.roots == (tmp_path / "data",)


def test_a_child_sees_no_key_and_the_login_only_of_a_server_that_is_used(tmp_path: Path) -> None:
    trust = {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/certificates", "REQUESTS_CA_BUNDLE": "/others"}
    environ = {"ANTHROPIC_API_KEY": "a", "MLFLOW_TRACKING_TOKEN": "t", "PATH": "/bin", **trust}
    local = Settings.read({}, project_dir=tmp_path)

    assert not {"ANTHROPIC_API_KEY", "MLFLOW_TRACKING_TOKEN"} & set(
        child_environment(local, environ)
    )
    for uri in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        remote = Settings.read({uri: "https://mlflow.test"}, project_dir=tmp_path)
        seen = child_environment(remote, environ)
        assert seen["MLFLOW_TRACKING_TOKEN"] == "t"
        assert seen.items() >= trust.items()
        assert "ANTHROPIC_API_KEY" not in seen


def test_a_child_sees_the_token_of_a_ray_cluster_only_if_one_is_used(tmp_path: Path) -> None:
    environ = {"RAY_AUTH_TOKEN_PATH": "/token", "RAY_AUTH_MODE": "token", "RAY_ADDRESS": "other:1"}
    used = Settings.read({}, project_dir=tmp_path, ray_address="ray://head:10001", ray_trials=4)

    assert "RAY_AUTH_TOKEN_PATH" not in child_environment(
        Settings.read({}, project_dir=tmp_path), environ
    )
    seen = child_environment(used, environ)
    assert (seen["RAY_AUTH_TOKEN_PATH"], seen["RAY_AUTH_MODE"]) == ("/token", "token")
    assert "RAY_ADDRESS" not in seen  # the setting alone says where
    assert Settings.read(seen, project_dir=tmp_path).ray_trials == 4


@pytest.mark.parametrize(
    "address", ["ray://me:secret@head:10001", "head", "http://head:1", "Local"]
)
def test_an_address_of_ray_is_local_or_a_host_and_port_without_a_login(address: str) -> None:
    with pytest.raises(
        InvalidInputError, match=r"RAY_ADDRESS: .* local, host:port or ray://"
    ) as no:
        Settings.read({"ML_ORCHESTRATOR_RAY_ADDRESS": address})
    assert "secret" not in str(no.value)


def test_files_of_the_data_directory_are_no_modules_of_a_child(tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").write_text("raise SystemExit('the file of the project was run')")
    settings = Settings.read({}, project_dir=tmp_path, home=tmp_path)
    ran = subprocess.run(
        [sys.executable, "-m", "ml_orchestrator", "--version"],
        cwd=tmp_path,
        env=child_environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_password_of_a_database_shows_as_stars_and_reaches_a_child(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:secret@db.test/ml"
    settings = Settings.read({"ML_ORCHESTRATOR_DATABASE_URL": url}, project_dir=tmp_path)

    assert "secret" not in repr(settings)
    assert settings.state_url == url
    assert Settings.read(child_environment(settings, {})) == settings


@pytest.mark.parametrize("name", ["TRACKING_URI", "REGISTRY_URI"])
@pytest.mark.parametrize(
    "address",
    [
        "http://me:secret@mlflow.test",
        "HTTPS://me:secret@mlflow.test:5000/",
        "https://secret@mlflow.test",  # a token
        "http://me:1/secret@mlflow.test",
        " http://me:secret@mlflow.test",
        "postgres://me:secret@db.test/ml",
    ],
)
def test_the_login_of_an_mlflow_server_is_refused_in_its_address(name: str, address: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"{name}: .*_USERNAME and .*_PASSWORD") as no:
        Settings.read({f"MLFLOW_{name}": address})
    assert "secret" not in f"{no.value}{no.value.__cause__}"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:secret@db.test/ml",
        "mysql+pymysql://me:secret@db.test/ml",
        "sqlite:////data/me@home/mlflow.db",
        "file:///data/me@home",
        "https://mlflow.test:5000",
        "databricks://profile",
    ],
)
def test_the_login_of_a_database_of_mlflow_is_used_and_not_shown(address: str) -> None:
    settings = Settings.read({"MLFLOW_TRACKING_URI": address})
    assert settings.mlflow_registry_uri == address
    assert "secret" not in repr(settings)
    assert Settings.read(child_environment(settings, {})) == settings


@pytest.mark.parametrize(
    "login",
    [
        *("me:se/cret", "me:se@cret", "m/e:secret", "me:se?cret", "me:#1", "me:se cret"),
        *("me:1?cret", "me:se@c?ret", "m/e:se?cret", "me:se?c=ret"),
    ],
)
@pytest.mark.parametrize("name", ["ML_ORCHESTRATOR_DATABASE_URL", "MLFLOW_TRACKING_URI"])
def test_a_login_that_ends_too_early_is_refused_before_its_rest_is_taken_for_a_host(
    name: str, login: str
) -> None:
    with pytest.raises(
        InvalidInputError, match=r"@ as %40, / as %2F, \? as %3F, # as %23"
    ) as refusal:
        Settings.read({name: f"postgresql+psycopg://{login}@db.test/ml"})
    assert "cret" not in f"{refusal.value}{refusal.value.__cause__}"


@pytest.mark.parametrize(
    "rest",
    [
        "h/ml?user=me@srv",
        "h:5432/ml?user=me@srv",
        "[::1]:5432/ml?user=me@srv",
        "/ml?host=/run/postgres&user=me@srv",
        "me:se%40cret@h/ml?sslrootcert=/home/me@work/a.pem",
    ],
)
def test_an_at_of_an_option_is_no_end_of_a_login(rest: str) -> None:
    address = f"postgresql+psycopg://{rest}"
    settings = Settings.read({"ML_ORCHESTRATOR_DATABASE_URL": address})
    assert settings.state_url == address


def test_another_database_is_refused_without_repeating_its_address(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"DATABASE_URL: .*postgresql\+psycopg") as refusal:
        Settings.read({"ML_ORCHESTRATOR_DATABASE_URL": "mysql://me:secret@db"}, home=tmp_path)
    assert "secret" not in str(refusal.value)
