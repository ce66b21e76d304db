"""The launcher builds what the server needs, whatever happens meanwhile."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.launcher.raw_client import LIMIT_S, RawClient
from tests.launcher.small_plugin import SmallPlugin
from uv import find_uv_bin

from ml_orchestrator.launcher.holds import lock_exclusively
from ml_orchestrator.launcher.installing import Installer, SetupError


@pytest.fixture
def plugin(tmp_path: Path) -> SmallPlugin:
    plugin = SmallPlugin(tmp_path)
    plugin.make()
    return plugin


def text_of(result: dict[str, Any]) -> str:
    (part,) = result["content"]
    text: str = part["text"]
    return text


def wait_until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def runs(plugin: SmallPlugin) -> int:
    path = plugin.folder / "uv-runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_the_first_call_waits_for_the_installation_is_told_so_and_is_answered(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    with plugin.start() as client:
        client.shake_hands()
        client.send("tools/call", 1, name="first", arguments={}, _meta={"progressToken": "t"})
        told = [message := client.receive()]
        while message.get("id") != 1:
            told.append(message := client.receive())

    (environment,) = plugin.environments
    *notifications, answer = told
    assert text_of(answer["result"]) == f"first in {plugin.data / environment / 'venv'}"
    assert {n["method"] for n in notifications} == {"notifications/progress"}
    assert {n["params"]["progressToken"] for n in notifications} == {"t"}
    reached = [n["params"]["progress"] for n in notifications]
    assert reached == sorted(set(reached))  # as the protocol wants it: each more than the last
    assert "Installing Python packages" in notifications[0]["params"]["message"]


def test_once_the_environment_is_ready_the_project_has_a_file_that_names_it(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    project = plugin.folder / "project"
    project.mkdir()
    file = project / ".claude" / "memory" / "memory_manager.py"
    environ = {**plugin.environ, "CLAUDE_PROJECT_DIR": str(project)}
    with RawClient(plugin.command, environ, plugin.folder) as client:
        client.shake_hands()
        python = text_of(client.call(1, "first")).removeprefix("first in ") + "/bin/python"

    assert f"PYTHON = {python!r}" in file.read_text().splitlines()


@pytest.fixture
def hostile_project(tmp_path: Path) -> Path:
    """Return a folder whose files leave a trace if an installer uses them."""
    project = tmp_path / "hostile"
    project.mkdir()
    trace = "open(__file__ + '.used', 'w').close()\n"
    for name in ("compileall", "email", "ensurepip", "pip", "tiny_need", "venv", "zipfile"):
        (project / f"{name}.py").write_text(trace)
    (project / "uv").write_text('#!/bin/sh\n: > "$0.used"\nexit 1\n')
    (project / "uv").chmod(0o755)
    (project / "uv.toml").write_text("uv refuses to run where this is read")
    (project / "pyproject.toml").write_text("[tool.uv.pip]\nno-index = 'nor here'\n")
    return project


def test_files_of_the_project_are_not_used_by_installers(
    plugin: SmallPlugin, hostile_project: Path
) -> None:
    plugin.put_wheel()
    environ = {
        **plugin.environ,
        "PATH": f".::{plugin.environ['PATH']}",
        "CLAUDE_PLUGIN_DATA": "../data",
    }
    with RawClient(plugin.command, environ, hostile_project) as client:
        client.shake_hands()
        answer = text_of(client.call(1, "first"))

    assert answer.startswith(f"first in {plugin.folder}")
    assert [path.name for path in hostile_project.glob("*.used")] == []
    assert runs(plugin) == 1  # of the uv that PATH names by its whole path


def test_with_uv_the_packages_are_installed_by_uv_whatever_the_project_has_for_it(
    plugin: SmallPlugin, hostile_project: Path
) -> None:
    plugin.put_wheel()
    uv = plugin.folder / "programs" / "uv"
    uv.unlink()
    uv.symlink_to(find_uv_bin())
    (plugin.folder / "programs" / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    offline = {
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(plugin.wheels),
        "UV_CACHE_DIR": str(plugin.folder / "cache"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    environ = {k: v for k, v in plugin.environ.items() if k != "PIP_FIND_LINKS"} | offline
    with RawClient(plugin.command, environ, hostile_project) as client:
        client.shake_hands()
        answer = text_of(client.call(1, "first"))

    (environment,) = plugin.environments
    venv = plugin.data / environment / "venv"
    assert answer == f"first in {venv}"
    assert "\nuv = " in (venv / "pyvenv.cfg").read_text()
    assert [*venv.glob("lib/python3*/site-packages/tiny_need.py")]
    assert not [*venv.glob("lib/python3*/site-packages/pip")]


def test_a_uv_that_is_no_program_here_leaves_the_installation_to_pip(plugin: SmallPlugin) -> None:
    plugin.put_wheel()
    (plugin.folder / "programs" / "uv").write_bytes(b"of another machine")
    with plugin.start() as client:
        client.shake_hands()
        answered = client.call(1, "first")

    assert answered["isError"] is False
    assert text_of(answered).startswith("first in ")


def test_an_installation_killed_half_way_is_done_again_by_the_next_start(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    (plugin.folder / "uv-waits").touch()
    with plugin.start() as killed:
        killed.shake_hands()
        wait_until(lambda: runs(plugin) == 1)
        killed.kill()
    (environment,) = plugin.environments
    (plugin.data / environment / "venv").mkdir()
    (plugin.data / environment / "venv" / "half").touch()

    with plugin.start() as client:
        client.shake_hands()
        client.send("tools/call", 1, name="after", arguments={})
        # What the killed launcher had started still runs, and is waited for.
        wait_until(lambda: any("Another session is installing" in line for line in client.log))
        (plugin.folder / "uv-waits").unlink()
        assert text_of(client.answer(1)).startswith("after in ")
    assert not (plugin.data / environment / "venv" / "half").exists()


def test_a_launcher_told_to_end_ends_its_installer(plugin: SmallPlugin) -> None:
    (plugin.folder / "uv-waits").touch()
    with plugin.start() as client:
        client.shake_hands()
        wait_until(lambda: runs(plugin) == 1)
        client.process.terminate()
        assert client.process.wait(LIMIT_S) == 143

    wait_until(lambda: lock_exclusively(plugin.data / "install.lock") is not None)


def test_two_launchers_started_together_install_once(plugin: SmallPlugin) -> None:
    plugin.put_wheel()
    with plugin.start() as first, plugin.start() as second:
        for client in (first, second):
            client.shake_hands()
            client.send("tools/call", 1, name="both", arguments={})
        answers = [text_of(client.answer(1)) for client in (first, second)]

    assert answers[0] == answers[1]
    assert len(plugin.environments) == 1
    assert runs(plugin) == 1


def test_without_packages_the_call_says_so_and_the_next_one_tries_again(
    plugin: SmallPlugin,
) -> None:
    with plugin.start() as client:
        client.shake_hands()
        refused = client.call(1, "offline")
        plugin.put_wheel()
        answered = client.call(2, "online")

    assert refused["isError"] is True
    assert "Go online and call the tool again; nothing has to be restarted" in text_of(refused)
    assert answered["isError"] is False


def test_a_full_disk_is_named(plugin: SmallPlugin) -> None:
    plugin.put_wheel()
    plugin.data.mkdir()
    mounted = f'mount -t tmpfs -o size=1m none "{plugin.data}" && exec "$@"'
    small_disk = ["unshare", "-rm", "sh", "-c", mounted, "sh"]
    path = shutil.which("unshare")
    if path is None or subprocess.run([*small_disk, "true"], check=False).returncode != 0:
        pytest.skip("this machine does not let a test mount a small disk (unshare, tmpfs)")
    environ = {**plugin.environ, "PATH": f"{plugin.environ['PATH']}:/usr/bin:/bin:/usr/sbin:/sbin"}
    with RawClient([*small_disk, *plugin.command], environ, plugin.folder) as client:
        client.shake_hands()
        refused = client.call(1, "full")

    assert refused["isError"] is True
    assert "the disk is full. About 2 GB are needed: make room" in text_of(refused)


def test_a_folder_that_cannot_be_written_is_named(plugin: SmallPlugin) -> None:
    plugin.data.write_text("not a folder")
    with plugin.start() as client:
        client.shake_hands()
        refused = client.call(1, "nowhere")

    assert refused["isError"] is True
    assert f"keeps its Python packages in {plugin.data} and could not" in text_of(refused)


def test_without_a_suitable_python_the_message_says_which_ones_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "")
    (tmp_path / "lock").write_text("")

    with pytest.raises(SetupError, match=r"needs Python 3\.11 to 3\.13 with its venv module"):
        Installer().install(tmp_path / "lock", tmp_path / "venv", guard=0, report=print)


def test_an_upgrade_leaves_a_running_session_its_environment_and_removes_it_afterwards(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    with plugin.start() as old:
        old.shake_hands()
        before = text_of(old.call(1, "old"))
        plugin.upgrade()
        with plugin.start() as new:
            new.shake_hands()
            after = text_of(new.call(1, "new"))
            assert len(plugin.environments) == 2
        assert text_of(old.call(2, "old")) == before
    with plugin.start() as later:
        later.shake_hands()
        assert text_of(later.call(1, "new")) == after

    (kept,) = plugin.environments
    assert kept in after


def test_installers_and_the_server_do_not_see_the_clients_keys(plugin: SmallPlugin) -> None:
    plugin.put_wheel()
    keys = ("ANTHROPIC_API_KEY", "CLAUDE_CODE_MESSAGING_TOKEN", "AWS_BEARER_TOKEN_BEDROCK")
    own = ("CLAUDE_PROJECT_DIR", "CLAUDE_PLUGIN_ROOT", "ML_ORCHESTRATOR_LOG_LEVEL", "AWS_PROFILE")
    nets = ("https_proxy", "NO_PROXY", "SSL_CERT_FILE", "UV_DEFAULT_INDEX", "LC_ALL")
    environ = {**plugin.environ, **dict.fromkeys((*keys, *own, *nets), "C")}
    with RawClient(plugin.command, environ, plugin.folder) as client:
        client.shake_hands()
        client.call(1, "environ")

    seen = (plugin.folder / "uv-environ").read_text().splitlines()
    by_installer = {line.partition("=")[0] for line in seen} - {"PWD", "SHLVL", "_", "OLDPWD"}
    assert by_installer == {
        "HOME", "PATH", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", *nets,
    }  # fmt: skip
    (said,) = [line for line in client.log if line.startswith("[")]
    by_server = set(json.loads(said)) - {"LC_CTYPE"}  # Python's own, where the locale is C
    assert by_server == environ.keys() - set(keys)


def test_after_an_upgrade_and_a_crash_a_session_goes_on_in_its_own_environment(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    with plugin.start() as client:
        client.shake_hands()
        before = text_of(client.call(1, "same"))
        plugin.upgrade()
        assert "It is being started again" in text_of(client.call(2, "crash"))
        assert text_of(client.call(3, "same")) == before

    assert len(plugin.environments) == 1


def test_an_environment_that_was_removed_by_hand_is_built_again_after_a_crash(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    with plugin.start() as client:
        client.shake_hands()
        before = text_of(client.call(1, "same"))
        shutil.rmtree(plugin.data)
        client.call(2, "crash")
        assert text_of(client.call(3, "same")) == before


def test_an_environment_is_kept_while_a_process_of_it_lives_on_after_its_session(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    with plugin.start() as old:
        old.shake_hands()
        prefix = text_of(old.call(1, "old")).removeprefix("old in ")
    lives_on = [f"{prefix}/bin/python", "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(lives_on, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == b"up\n"
        plugin.upgrade()
        with plugin.start() as new:
            new.shake_hands()
            new.call(1, "new")
        assert len(plugin.environments) == 2
        worker.communicate(b"\n", timeout=LIMIT_S)


def test_a_server_that_cannot_be_started_any_more_is_told_and_nobody_waits(
    plugin: SmallPlugin,
) -> None:
    plugin.put_wheel()
    with plugin.start() as client:
        client.shake_hands()
        python = Path(text_of(client.call(1, "same")).removeprefix("same in ")) / "bin" / "python"
        python.unlink()
        python.write_bytes(b"no program")
        python.chmod(0o755)
        client.call(2, "crash")
        refused = client.call(3, "same")

    assert refused["isError"] is True
    assert "it could not be started: [Errno " in text_of(refused)
    assert "not started any more in this session" in text_of(refused)
