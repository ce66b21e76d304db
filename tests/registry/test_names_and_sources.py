from collections.abc import Callable
from pathlib import Path

import pytest

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError
from ml_orchestrator.registry.names import check_alias, check_model, check_run_id
from ml_orchestrator.registry.sources import logged_model_id, run_artifact
from ml_orchestrator.storage.artifacts import local_path

HOSTILE_NAMES = [
    "", "m\n", "\nm", "a\0b", "../x", "..", ".", "a/b", "a\\b", "-rf", "a b", "a%2fb", "<img>",
    "$(touch x)", "`x`", "a;b", "a|b", "a'b", 'a"b', "é", "\u202ea", "\uff41", "x" * 5_000,
    "..\\x", "%2e%2e", "%252e%252e", "/etc/passwd", "\\\\evil\\share", "champion\n",
    "champion\r\n",
    "ch\u0430mpion", "a\u200bb", "a\tb", "con", "NUL", "aux.txt", "lpt1", "a&&b", "a$IFS", "--help",
    "' OR 1=1 --", "a;DROP TABLE alias_moves", "{{7*7}}", "${x}", "\x1b[2J", "*", "?", "~", "@",
    "#",
]  # fmt: skip

HOSTILE_SOURCES = [
    "/etc", "/", "//evil/share", "file:///etc", "file://evil.host/share", "file:relative",
    "../../../../etc",
    "http://169.254.169.254/", "https://127.0.0.1/x", "ftp://x/y", "s3://b/../k", "file:///dev/zero",
    "/dev/zero", "C:\\Windows", "\\\\evil\\share", "a\0b", "", "~", 
    "models:/m@../x", "models:/iris/1",
    "runs:/" + "0" * 32 + "/../../x", "mlflow-artifacts:/x", "dbfs:/x",
    "file://{root}/%2e%2e/%2e%2e/etc", "file://{root}/..", "{root}/../other", "{root}%00",
    "models:/m@champion", "runs:/..", "..%2f..%2fetc", "file:///%2e%2e/etc",
    "file:///..%252f..%252fetc",
    "http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/", "gs://b/x", "hdfs://h/x", "$(touch x)",
    "`touch x`", "a;touch x", "a|touch x", "/proc/self/environ", "file:///etc\x00/x", "/etc\n",
    "-rf",
    "http://rebind.test/", "http://localhost.rebind.test:5000/m", "mlflow-artifacts://rebind.test/m",
    "{root}/a\\..\\..", "file://{root}/x?y", "file://{root}/x#y", "{root}-other/x",
]  # fmt: skip


@pytest.mark.parametrize("check", [check_model, check_alias, check_run_id])
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_refused_with_what_is_allowed(
    check: Callable[[str], str], name: str
) -> None:
    with pytest.raises(InvalidInputError, match="allowed: 1 to"):
        check(name)


def test_ordinary_names_pass() -> None:
    assert check_model("Churn-2026.v1_a") == "Churn-2026.v1_a"
    assert check_alias("blue-green_2") == "blue-green_2"
    assert check_run_id("0a1b-2_c") == "0a1b-2_c"


@pytest.mark.parametrize("source", HOSTILE_SOURCES)
def test_hostile_sources_are_refused(tmp_path: Path, source: str) -> None:
    root = tmp_path / "mlartifacts"
    root.mkdir()
    with pytest.raises(IntegrityViolationError, match="not a directory inside the artifact root"):
        local_path(source.replace("{root}", str(root)), root)


def test_a_link_that_leaves_the_root_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "mlartifacts"
    root.mkdir()
    (root / "way-out").symlink_to("/etc")
    with pytest.raises(IntegrityViolationError, match="inside the artifact root"):
        local_path(f"file://{root}/way-out", root)


def test_a_directory_in_the_root_passes_even_with_a_space(tmp_path: Path) -> None:
    root = tmp_path / "my artifacts"
    assert local_path((root / "m").as_uri(), root) == root / "m"
    assert local_path(str(root / "m"), root) == root / "m"


def test_only_whole_ids_are_read_from_sources() -> None:
    assert logged_model_id("models:/m-" + "a" * 32) == "m-" + "a" * 32
    assert logged_model_id("models:/m-" + "a" * 32 + "/x") is None
    assert run_artifact("runs:/" + "0" * 32 + "/model") == ("0" * 32, "model")
    assert run_artifact("runs:/" + "0" * 32 + "/a/../b") is None
