import platform
from importlib import metadata
from importlib.metadata import version
from pathlib import Path

import pytest

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.environment import (
    Difference,
    Environment,
    check_environment,
    compare,
    installed,
    recorded,
)
from ml_orchestrator.registry.models import Check
from ml_orchestrator.registry.policies import EnvironmentPolicy

REQUIREMENTS = """\
mlflow==3.17.2
scikit-learn==1.9.1
Some_Lib[extra]==2.4.0 ; python_version > "3"
unpinned
-e git+https://evil.host/x
--index-url https://evil.host/simple

# platform: Linux x86_64
"""
THEN = Environment(
    python="3.11.7",
    platform="Linux x86_64",
    packages={"scikit-learn": "1.9.1", "some-lib": "2.4.0", "unpinned": None},
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text(REQUIREMENTS)
    (tmp_path / "python_env.yaml").write_text("python: 3.11.7\nbuild_dependencies:\n- pip==23\n")
    return tmp_path


def here(**changes: str | None) -> Environment:
    """The recorded environment with some packages changed."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    python, where = named.pop("python", "3.11.9"), named.pop("platform", "Linux x86_64")
    packages = {**THEN.packages, "unpinned": "9.0", **named}
    return Environment(python=python, platform=where, packages=packages)


def test_the_recorded_environment_is_read_as_data(directory: Path) -> None:
    assert recorded(directory) == THEN


def test_this_environment_is_what_is_installed() -> None:
    assert installed(["scikit-learn", "no-such-thing"]) == Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages={"scikit-learn": version("scikit-learn"), "no-such-thing": None},
    )


def test_differences_come_worst_first_and_a_patch_of_python_is_none() -> None:
    assert compare(THEN, here()) == ()
    changed = here(platform="Linux aarch64", some_lib="3.0.0", scikit_learn="1.9.2", unpinned=None)
    assert compare(THEN, changed) == (
        Difference("missing", "unpinned", None, None),
        Difference("newer_major", "some-lib", "2.4.0", "3.0.0"),
        Difference("other", "scikit-learn", "1.9.1", "1.9.2"),
        Difference("other", "platform", "Linux x86_64", "Linux aarch64"),
    )


@pytest.mark.parametrize(
    ("changes", "policy", "expected"),
    [
        ({}, {}, (True, "as recorded: Python 3.11.7, 3 packages")),
        (
            {"scikit_learn": "1.10.0", "python": "3.12.1"},
            {},
            (
                True,
                "differs, let pass: scikit-learn 1.9.1 recorded, 1.10.0 here; "
                "Python 3.11.7 recorded, 3.12.1 here",
            ),
        ),
        (
            {"scikit_learn": "2.0.0", "some_lib": None, "platform": "Darwin arm64"},
            {},
            (
                False,
                "refused: some-lib 2.4.0 recorded, missing here; scikit-learn 1.9.1 recorded, "
                "2.0.0 here; install what is recorded, or let it pass in policies.toml "
                "[environment]. differs, let pass: platform Linux x86_64 recorded, "
                "Darwin arm64 here",
            ),
        ),
        (
            {"scikit_learn": "2.0.0", "some_lib": None},
            {"missing": "warn", "newer_major": "warn"},
            (
                True,
                "differs, let pass: some-lib 2.4.0 recorded, missing here; "
                "scikit-learn 1.9.1 recorded, 2.0.0 here",
            ),
        ),
        (
            {"scikit_learn": "1.9.2"},
            {"other": "refuse"},
            (
                False,
                "refused: scikit-learn 1.9.1 recorded, 1.9.2 here; install what is recorded, or "
                "let it pass in policies.toml [environment]",
            ),
        ),
    ],
)
def test_the_policy_decides_what_is_refused(
    directory: Path,
    changes: dict[str, str | None],
    policy: dict[str, str],
    expected: tuple[bool, str],
) -> None:
    found = check_environment(
        directory, EnvironmentPolicy.model_validate(policy), here=here(**changes)
    )
    assert found == Check(name="environment", ok=expected[0], detail=expected[1])


def test_a_directory_without_a_record_passes_and_says_so(tmp_path: Path) -> None:
    assert check_environment(tmp_path, EnvironmentPolicy()).detail == (
        "the version records no environment"
    )


def environment_of(desk: RegistryDesk) -> Check:
    return next(c for c in desk.vault.verify("iris", 1).checks if c.name == "environment")


def test_a_version_carries_its_environment_under_its_manifest(desk: RegistryDesk) -> None:
    assert environment_of(desk) == Check(
        name="environment",
        ok=True,
        detail=f"as recorded: Python {platform.python_version()}, 2 packages",
    )
    with desk.vault.checkout("iris", 1) as copy:
        found = recorded(copy.directory)
    assert found.packages == {name: version(name) for name in ("scikit-learn", "skops")}
    assert found.platform == f"{platform.system()} {platform.machine()}"


def test_a_version_of_another_major_release_is_not_loaded_until_the_policy_lets_it_pass(
    desk: RegistryDesk, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        metadata, "version", lambda name: "2.0" if name == "scikit-learn" else version(name)
    )
    with (
        pytest.raises(IntegrityViolationError, match=r"environment: refused: scikit-learn .* 2\.0"),
        desk.vault.checkout("iris", 1),
    ):
        pytest.fail("handed out")

    (home / "policies.toml").write_text('[environment]\nnewer_major = "warn"\n')
    assert environment_of(desk).ok
    with desk.vault.checkout("iris", 1) as copy:
        assert copy.directory.is_dir()
