"""Texts name a command that exists where they are told."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_orchestrator.approving import require_person
from ml_orchestrator.calling.trained import command_of
from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.launcher.package import link_program
from ml_orchestrator.program import program

PACKAGE = Path(__file__).resolve().parents[1] / "server" / "ml_orchestrator"
# Manuals, which are the same everywhere, a name for a client, and what other machines run.
FIXED = {
    "calling/parsing.py",
    "calling/showing.py",
    "orchestration/pipelines/export.py",
    "registry/models.py",
    "tools/in_process.py",
}
BARE = re.compile(
    r"\bml-orchestrator (?:approve|call|deploy|doctor|events|keys|monitors|override|runs|serve"
    r"|train|worker|workflow)\b"
)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with the program, as the plug-in's; nothing of it is on PATH."""
    folder = tmp_path / "my env"
    make_program(folder / "bin")
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return folder


def make_program(folder: Path, script: str = "#!/bin/sh\n") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ml-orchestrator").write_text(script)
    (folder / "ml-orchestrator").chmod(0o755)


def test_where_it_is_on_no_path_its_whole_path_is_named(environment: Path) -> None:
    assert program() == f"'{environment}/bin/ml-orchestrator'"
    assert command_of(Path("data")) == f"'{environment}/bin/ml-orchestrator' --home data"


def test_where_it_is_on_the_path_its_name_is_enough_by_a_link_too(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ml-orchestrator").symlink_to(environment / "bin" / "ml-orchestrator")
    assert program() == "ml-orchestrator"


def test_that_of_another_environment_is_not_taken_for_ours(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path / "other")
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    assert program() == f"'{environment}/bin/ml-orchestrator'"


def test_without_a_program_the_interpreter_is_named(environment: Path) -> None:
    (environment / "bin" / "ml-orchestrator").unlink()
    assert program() == f"'{environment}/bin/python' -m ml_orchestrator"


@pytest.mark.parametrize(
    "script",
    [
        "#!{folder}/other/bin/python\n",
        "#!/bin/sh\nexec {folder}/other/bin/python -m ml_orchestrator\n",
        "#!/bin/sh\necho 'of another\n",
        "#!/bin/sh",
        "",
    ],
)
def test_without_a_program_that_of_another_on_the_path_is_not_taken_for_ours(
    environment: Path, tmp_path: Path, script: str
) -> None:
    (environment / "bin" / "ml-orchestrator").unlink()
    make_program(tmp_path, script.format(folder=tmp_path))
    assert program() == f"'{environment}/bin/python' -m ml_orchestrator"


@pytest.mark.parametrize(
    "script",
    [
        "#!/opt/bin/python\n",
        "#!/opt/bin/python -sP\n",
        """#!/bin/sh\n'''exec' "/opt/bin/python" "$0" "$@"\n' '''\n""",  # of pip and uv
        "#!/bin/sh\nexec '/opt/bin/python' -P -m ml_orchestrator\n",
    ],
)
def test_without_a_program_a_script_of_this_interpreter_is_ours(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    (environment / "bin" / "ml-orchestrator").unlink()
    monkeypatch.setattr(sys, "executable", "/opt/bin/python")
    make_program(tmp_path, script)
    assert program() == "ml-orchestrator"


def test_in_the_plugins_environment_the_link_is_named_that_an_update_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv, link = tmp_path / "env-1" / "venv", tmp_path / "bin" / "ml-orchestrator"
    make_program(venv / "bin")
    monkeypatch.setattr(sys, "prefix", str(venv))
    monkeypatch.setenv("PATH", "")
    assert program() == f"{venv}/bin/ml-orchestrator"  # no link yet

    link_program(venv, link)
    assert program() == str(link)


def test_a_refusal_names_what_the_person_can_type(environment: Path) -> None:
    with pytest.raises(PermissionDeniedError) as refused:
        require_person(is_terminal=False, environ={})
    assert f"run `'{environment}/bin/ml-orchestrator' approve ID` yourself" in str(refused.value)


def test_no_text_of_the_package_names_a_command_by_the_bare_name() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {text.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if str(path.relative_to(PACKAGE)) not in FIXED
        for text in texts_of(ast.parse(path.read_text(encoding="utf-8")))
        if BARE.search(text)
    ]
    assert found == []


def texts_of(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in alone:
            yield str(node.value)
