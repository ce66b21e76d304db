import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.clients.setup import HERE, SetupError, install, is_installed

NPM_THAT_WORKS = "env > environment; echo called >> calls; mkdir -p node_modules"
NPM_WITHOUT_NETWORK = "echo npm error code ENOTFOUND; exit 1"
NPM_THAT_FAILS = "echo npm error code EINTEGRITY; exit 1"


def path_with_npm(folder: Path, script: str) -> str:
    """Put a program called npm, which runs the script, into a folder and return that folder."""
    program = folder / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program.parent)


def lock_file() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / "package-lock.json").read_text())
    return content


def test_it_installs_once_and_again_only_when_the_lock_file_changed(tmp_path: Path) -> None:
    target, path = tmp_path / "node", path_with_npm(tmp_path, NPM_THAT_WORKS)
    install(target, environ={"PATH": path})
    install(target, environ={"PATH": path})
    assert is_installed(target)
    assert (target / "calls").read_text().splitlines() == ["called"]
    (target / "installed.sha256").write_text("of another lock file")
    install(target, environ={"PATH": path})
    assert (target / "calls").read_text().splitlines() == ["called", "called"]


def test_npm_sees_an_empty_home_and_none_of_our_secrets(tmp_path: Path) -> None:
    path = path_with_npm(tmp_path, NPM_THAT_WORKS)
    given = {
        "PATH": path,
        "HOME": str(tmp_path),
        "ANTHROPIC_API_KEY": "secret",
        "SSL_CERT_FILE": "x",
    }
    install(tmp_path / "node", environ=given)
    lines = (tmp_path / "node" / "environment").read_text().splitlines()
    seen = dict(line.split("=", 1) for line in lines)
    assert set(seen) - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "HOME", "LANG", "SSL_CERT_FILE"}
    assert seen["HOME"] != str(tmp_path)
    assert "secret" not in " ".join(lines)


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        (NPM_WITHOUT_NETWORK, 3, "cannot reach its registry"),
        (NPM_THAT_FAILS, 1, "EINTEGRITY"),
    ],
)
def test_a_failure_says_why_and_is_tried_again(
    tmp_path: Path, script: str, status: int, message: str
) -> None:
    target = tmp_path / "node"
    with pytest.raises(SetupError, match=message) as caught:
        install(target, environ={"PATH": path_with_npm(tmp_path, script)})
    assert caught.value.status == status
    assert not is_installed(target)


def test_without_npm_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="npm is not on PATH") as caught:
        install(tmp_path / "node", environ={"PATH": str(tmp_path)})
    assert caught.value.status == 3


def test_the_lock_file_pins_every_package_by_content_and_names_no_address() -> None:
    packages = {name: entry for name, entry in lock_file()["packages"].items() if name}
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, e in packages.items() if not e["integrity"].startswith("sha512-")] == []


def test_the_clients_are_pinned_to_exact_versions_and_the_lock_file_agrees() -> None:
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", version) for version in wanted.values())
    locked = lock_file()["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
