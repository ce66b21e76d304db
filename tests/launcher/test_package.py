"""What the launcher puts into an environment is found there, by a person, by Python and by pip."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.launcher.raw_client import LIMIT_S, RawClient
from tests.launcher.small_plugin import SmallPlugin, make_wheel
from uv import find_uv_bin

from ml_orchestrator.launcher.environment import Environments
from ml_orchestrator.launcher.installing import Installer, SetupError
from ml_orchestrator.launcher.package import link_program

ROOT = Path(__file__).resolve().parents[2]
# As error texts name it: the extra of the release at work.
EXTRA = "ml-orchestrator-mcp[more]==7.0"


@dataclass(frozen=True)
class Built:
    """An environment that the launcher built."""

    plugin: SmallPlugin
    venv: Path

    @property
    def python(self) -> str:
        return str(self.venv / "bin" / "python")

    def run(self, command: Sequence[str], *, given: str = "", cwd: Path | None = None) -> str:
        offline = {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(self.plugin.wheels)}
        cache = {"UV_CACHE_DIR": str(self.plugin.folder / "cache")}
        done = subprocess.run(
            command,
            env={**self.plugin.environ, **offline, **cache},
            cwd=cwd or self.plugin.folder,
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    plugin = SmallPlugin(tmp_path_factory.mktemp("plugin"))
    plugin.make()
    plugin.put_wheel()
    make_wheel(plugin.wheels, "tiny_more-1.0-py3-none-any.whl")
    data = plugin.folder / "a person's data"
    environ = {**plugin.environ, "CLAUDE_PLUGIN_DATA": str(data)}
    with RawClient(plugin.command, environ, plugin.folder) as client:
        client.shake_hands()
        assert client.call(1, "first")["isError"] is False, client.log
    (environment,) = data.glob("env-*")
    return Built(plugin, environment / "venv")


def test_a_person_has_a_program_that_runs_in_the_environment_and_not_on_the_projects_modules(
    built: Built, tmp_path: Path
) -> None:
    (tmp_path / "ml_orchestrator.py").write_text("raise SystemExit('a module of the project')")
    request = {"id": 1, "method": "tools/call", "params": {"name": "typed"}}
    program = str(built.venv / "bin" / "ml-orchestrator")

    answer = json.loads(built.run([program, "mcp"], given=json.dumps(request), cwd=tmp_path))

    assert answer["result"]["content"][0]["text"] == f"typed in {built.venv}"


def test_a_link_that_an_update_keeps_leads_to_the_program(built: Built) -> None:
    link = built.venv.parents[1] / "bin" / "ml-orchestrator"
    request = {"id": 1, "method": "tools/call", "params": {"name": "typed"}}

    answer = json.loads(built.run([str(link), "mcp"], given=json.dumps(request)))

    assert answer["result"]["content"][0]["text"] == f"typed in {built.venv}"


def test_the_link_leads_to_the_environment_that_began_last(tmp_path: Path) -> None:
    link = tmp_path / "bin" / "ml-orchestrator"
    for name in ("env-1", "env-2", "env-2", "env-1"):
        link_program(tmp_path / name / "venv", link)
        assert link.readlink() == tmp_path / name / "venv" / "bin" / "ml-orchestrator"
    assert list(link.parent.iterdir()) == [link]


@pytest.mark.parametrize("damaged", [None, b"", b"Name: ml-orchestrator-mcp\n", b"Name: \xff"])
def test_missing_or_damaged_metadata_ask_for_the_plug_in_to_be_installed_again(
    tmp_path: Path, damaged: bytes | None
) -> None:
    plugin = SmallPlugin(tmp_path)
    plugin.make()
    metadata = plugin.root / "bin" / "METADATA"
    if damaged is None:
        metadata.unlink()
    else:
        metadata.write_bytes(damaged)
    with pytest.raises(SetupError, match=r"METADATA.*Install the plug-in again") as refusal:
        Environments(plugin.root, plugin.data, Installer()).python(print)
    assert "Make room" not in str(refusal.value)
    assert plugin.environments == set()


def test_so_does_a_missing_lock_file(tmp_path: Path) -> None:
    plugin = SmallPlugin(tmp_path)
    plugin.make()
    (plugin.root / "requirements" / "core.lock").unlink()
    with pytest.raises(SetupError, match=r"core\.lock.*Install the plug-in again"):
        Environments(plugin.root, plugin.data, Installer()).python(print)


def test_python_knows_the_release(built: Built) -> None:
    code = "from importlib import metadata; print(metadata.version('ml-orchestrator-mcp'))"
    assert built.run([built.python, "-c", code]) == "7.0\n"


def test_every_file_of_the_record_is_there_the_program_among_them(built: Built) -> None:
    (record,) = built.venv.glob("lib/python3*/site-packages/ml_orchestrator_mcp-7.0.*/RECORD")
    named = [line.removesuffix(",,") for line in record.read_text().splitlines()]
    found = {os.path.normpath(record.parents[1] / name) for name in named}

    assert all(map(os.path.exists, found))
    assert str(built.venv / "bin" / "ml-orchestrator") in found


def test_pip_finds_the_release_in_place_and_takes_only_what_an_extra_adds(built: Built) -> None:
    pip = [built.python, "-m", "pip", "install", "--dry-run", "--disable-pip-version-check"]
    said = built.run([*pip, EXTRA]).splitlines()

    assert [line for line in said if line.startswith("Would install")] == [
        "Would install tiny_more-1.0"
    ]


def test_so_does_uv(built: Built) -> None:
    uv = [find_uv_bin(), "pip", "install", "--dry-run", "--python", built.python]
    said = built.run([*uv, EXTRA]).splitlines()

    assert [line for line in said if line.startswith(" + ")] == [" + tiny-more==1.0"]
    assert [line for line in said if line.startswith((" - ", " ~ "))] == []


def test_the_committed_metadata_are_those_of_the_project_file() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "import make_metadata; print(make_metadata.metadata(), end='')"],
        cwd=ROOT / "bin",
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    assert made.stdout == (ROOT / "bin" / "METADATA").read_text(encoding="utf-8")
