"""What the launcher writes into the project that it serves, and what it leaves alone."""

import ast
from pathlib import Path

import pytest

from ml_orchestrator.launcher.door import SWITCH, put_door

PYTHON = Path("/data/env-1/venv/bin/python")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    return project


def file_in(project: Path) -> Path:
    return project / ".claude" / "memory" / "memory_manager.py"


def put(project: Path, python: Path = PYTHON, **environ: str) -> None:
    put_door(python, {"CLAUDE_PROJECT_DIR": str(project), **environ})


def facts_of(project: Path) -> dict[str, object]:
    """Return the constants of the file that is there."""
    facts = {}
    for statement in ast.parse(file_in(project).read_text()).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if name.isupper() and not name.startswith("_"):
                facts[name] = ast.literal_eval(statement.value)
    return facts


def test_an_empty_project_gets_the_file_and_git_does_not_see_it(project: Path) -> None:
    put(project)

    assert facts_of(project) == {"PYTHON": str(PYTHON), "SETTINGS": {}, "SECRETS": ()}
    assert file_in(project).read_text().startswith("# Written by the ml-orchestrator plug-in")
    ignored = (project / ".claude" / "memory" / ".gitignore").read_text().splitlines()
    assert ignored[1:] == ["/.gitignore", "/__pycache__/", "/memory_manager.py"]
    assert {path.name for path in file_in(project).parent.iterdir()} == {
        ".gitignore",
        "memory_manager.py",
    }


def test_it_says_where_memory_is_kept_but_no_secret(project: Path) -> None:
    secret = "postgresql+psycopg://ml:secret@db/ml"
    put(project, ML_ORCHESTRATOR_HOME="/kept", ML_ORCHESTRATOR_DATABASE_URL=secret)

    assert facts_of(project)["SETTINGS"] == {"ML_ORCHESTRATOR_HOME": "/kept"}
    assert facts_of(project)["SECRETS"] == ("ML_ORCHESTRATOR_DATABASE_URL",)
    assert "secret@" not in file_in(project).read_text()


def test_a_file_of_ours_follows_the_environment(project: Path) -> None:
    put(project)
    (project / ".claude" / "memory" / ".gitignore").unlink()
    put(project, Path("/data/env-2/venv/bin/python"))

    assert facts_of(project)["PYTHON"] == "/data/env-2/venv/bin/python"
    assert not (project / ".claude" / "memory" / ".gitignore").exists()  # removed on purpose


@pytest.mark.parametrize("content", ["", "class AgentMemoryManager: ...\n"])
def test_a_file_that_is_not_ours_is_left_alone(project: Path, content: str) -> None:
    file_in(project).parent.mkdir(parents=True)
    file_in(project).write_text(content)
    put(project)

    assert [path.read_text() for path in file_in(project).parent.iterdir()] == [content]


def test_nothing_is_written_through_links(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / ".claude").symlink_to(outside)
    put(project)
    assert list(outside.iterdir()) == []

    (project / ".claude").unlink()
    file_in(project).parent.mkdir(parents=True)
    file_in(project).symlink_to(outside / "target.py")
    put(project)
    assert list(outside.iterdir()) == []


def test_the_clients_own_settings_are_no_project(project: Path) -> None:
    put(project, CLAUDE_CONFIG_DIR=str(project / ".claude"))
    assert list(project.iterdir()) == []


def test_switched_off_nothing_is_written(project: Path) -> None:
    put_door(PYTHON, {"CLAUDE_PROJECT_DIR": str(project), SWITCH: "off"})
    assert list(project.iterdir()) == []


def test_without_a_project_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put_door(PYTHON, {})
    put(tmp_path / "nonesuch")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("obstacle", ["file", "link in a circle"])
def test_a_project_that_cannot_be_written_is_only_logged(
    project: Path, obstacle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if obstacle == "file":
        (project / ".claude").write_text("")
    else:
        (project / ".claude").symlink_to(project / ".claude")
    put(project)

    assert f"no memory_manager.py in {project}" in capsys.readouterr().err
