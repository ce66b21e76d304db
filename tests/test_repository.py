"""The repository keeps its own promises."""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.loaded import HEAVY, loaded_after

from ml_orchestrator import cli, command_acts
from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.orchestration.workflows.shipped import shipped_names
from ml_orchestrator.settings import Settings
from ml_orchestrator.tools import TOOLS
from ml_orchestrator.training.metrics import METRICS, PINBALL
from ml_orchestrator.training.trainers import TRAINERS
from ml_orchestrator.variables import PREFIX

TESTS = Path(__file__).parent
ROOT = TESTS.parent
COUNTS = {"A": 3, "M": 4, "S": 5, "P": 5, "C": 7, "F": 5, "H": 4, "I": 4, "X": 3}
IDS = [f"{letter}{n}" for letter, count in COUNTS.items() for n in range(1, count + 1)]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_requirement_has_tests_or_a_named_gap_and_every_named_test_exists() -> None:
    rows = tomllib.loads(read("tests/requirements.toml"))

    assert sorted(rows) == sorted(IDS)
    for name, row in rows.items():
        assert row.get("tests") or row.get("gap"), name
        for test in row.get("tests", []):
            assert (TESTS / test).is_file(), f"{name}: {test}"


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_every_tool_is_in_the_readme(tool: str) -> None:
    assert f"`{tool}`" in read("README.md")


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_every_setting_is_documented(field: str) -> None:
    assert f"`{PREFIX}{field.upper()}`" in read("docs/settings.md")


@pytest.mark.parametrize("name", [*DRIFT_TESTS, *TRAINERS, *METRICS, PINBALL])
def test_every_registered_name_is_documented(name: str) -> None:
    assert f"`{name}`" in read("docs/tools.md")


def test_the_server_imports_nothing_heavy_before_it_answers(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from ml_orchestrator.app import build_server\n"
        "from ml_orchestrator.settings import Settings\n"
        f"build_server(Settings.read({{}}, project_dir=Path({str(tmp_path)!r})))\n"
    )
    assert loaded_after(code, HEAVY) == []


def test_who_only_looks_at_monitors_imports_no_registry_and_no_statistics() -> None:
    heavy = ("mlflow", "sklearn", "skops", "scipy", "polars", "pandas", "optuna")
    assert loaded_after("import ml_orchestrator.orchestration.monitors.desk", heavy) == []


def test_without_a_command_those_that_there_are_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(name in said for name in ("workflow", "runs", "worker", "doctor"))


def test_every_command_has_an_act_of_its_name_and_every_act_a_command() -> None:
    added = [a for a in cli._parser()._actions if isinstance(a, argparse._SubParsersAction)]
    assert sorted(added[0].choices) == sorted({*command_acts.__all__} - {"Act"})


def test_locks_carry_hashes_and_no_address() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--index-url|--find-links|file:", text), lock.name


def test_version_is_the_same_everywhere() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]

    assert f'__version__ = "{version}"' in read("server/ml_orchestrator/__init__.py")
    assert f'"version": "{version}"' in read(".claude-plugin/plugin.json")


def test_the_drift_tool_takes_any_name_since_packages_may_add_tests() -> None:
    taken = TOOLS["drift_check"].build().parameters["properties"]["test"]

    assert "enum" not in taken
    assert taken["type"] == "string"


def test_the_workflow_tool_offers_every_registered_workflow() -> None:
    offered = TOOLS["workflow_run"].build().parameters["properties"]["name"]["description"]

    startable = [name for name in WORKFLOWS if not WORKFLOWS[name].is_internal]
    ours = [name for name in startable if not name.startswith("tiny")]  # those are the tests'
    assert [name for name in (*ours, *shipped_names()) if name not in offered] == []


def test_the_generated_documentation_is_current() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
