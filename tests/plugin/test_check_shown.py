"""What skills and pages show is right by what is here; and what would be wrong is found."""

from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from tests.plugin.check_shown import block_faults, code_faults, shown_faults, unchecked
from tests.plugin.shown_commands import (
    NotACommandError,
    Tree,
    command_faults,
    command_lines,
    inline_commands,
    python_faults,
)
from tests.plugin.shown_versions import declared, locked, version_faults, versions_of
from tests.plugin.skill_files import Block

RUN = Tree({"--port": True, "--help": False})
PROGRAM = Tree({"--home": True, "-v": False}, {"serve": RUN, "keys": Tree({}, {"list": Tree()})})
LOCKS = {"mlflow": {"3.17.2"}, "docker": {"7.2.0"}}
RANGES = {"torch": SpecifierSet(">=2.6,<3")}


def test_what_the_shipped_skills_and_pages_show_has_no_faults() -> None:
    assert shown_faults() == []


def test_what_cannot_be_checked_here_is_named() -> None:
    assert {"program deepspeed", "deepspeed 0.19.8"} <= set(unchecked())


@pytest.mark.parametrize(
    "line",
    [
        "program serve --port 1",
        "program --home a/b serve --port=1",
        "program -v keys list",
        "program keys ACT",
        "program serve [--port N]",
    ],
)
def test_a_command_that_the_program_takes_has_no_faults(line: str) -> None:
    assert list(command_faults(line.split(), PROGRAM)) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("program server", "program has no command 'server'; known: serve, keys"),
        ("program serve --prot 1", "program serve has no option '--prot'"),
        ("program --port 1 serve", "program has no option '--port'"),
        ("program keys lsit", "program keys has no command 'lsit'; known: list"),
    ],
)
def test_a_command_that_the_program_refuses_is_named(line: str, fault: str) -> None:
    (found,) = command_faults(line.split(), PROGRAM)
    assert found == f"'{line}': {fault}"


def test_a_shell_block_is_read_as_the_shell_reads_it() -> None:
    code = "A=1 program serve \\\n  --port 1 && other -x  # why\nthird 'a b' | fourth"
    assert command_lines(code) == [
        ["program", "serve", "--port", "1"],
        ["other", "-x"],
        ["third", "a b"],
        ["fourth"],
    ]
    with pytest.raises(NotACommandError, match=r"quote|matching"):
        command_lines("program 'a")


def test_our_commands_are_found_in_sentences() -> None:
    text = "Run `ml-orchestrator keys list` or `.venv/bin/ml-orchestrator serve`, not `mlflow ui`."
    block = (
        "```python\nml-orchestrator is none\n```\n"
        "```\n.venv/bin/ml-orchestrator serve \\\n  --port 1 | cat\nsays: ml-orchestrator x\n```\n"
    )
    assert inline_commands(block + text) == [
        ["ml-orchestrator", "serve", "--port", "1"],
        ["ml-orchestrator", "keys", "list"],
        ["ml-orchestrator", "serve"],
    ]


def test_a_script_must_lie_beside_and_have_its_options(tmp_path: Path) -> None:
    (script := tmp_path / "train.py").write_text('parser.add_argument("--key")')
    assert list(python_faults(["python", "train.py", "--key", "1"], [script])) == []
    assert list(python_faults(["python", "-m", "json.tool"], [])) == []
    for line, fault in (
        ("python dags/tarin.py", "dags/tarin.py lies nowhere beside it"),
        ("python train.py --kye 1", "train.py has no option '--kye'"),
        ("python -m no_such_module", "no module 'no_such_module' here"),
    ):
        (found,) = python_faults(line.split(), [script])
        assert fault in found


@pytest.mark.parametrize(
    ("kind", "code"), [("yaml", "a: [1"), ("json", "{'a': 1}"), ("python", "def f(:")]
)
def test_code_that_is_none_is_named(kind: str, code: str) -> None:
    (found,) = code_faults(kind, code)
    assert found.startswith(f"{code!r} is no {kind}")
    assert list(block_faults(Block(kind, "", code), {}, [])) == [found]
    assert list(code_faults(kind, "1")) == []


def test_versions_are_read_where_a_package_is_meant() -> None:
    text = "In mlflow 3.17 it is less than 1.6 times.\nRan here with newtool 2.0.1, 2026-11-23:\n"
    assert versions_of(text, {"mlflow"}) == [("mlflow", "3.17"), ("newtool", "2.0.1")]


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ({"a": "mlflow 3.16.0"}, "a: mlflow 3.16.0, but the locks have 3.17.2"),
        ({"a": "torch 2.5.0"}, "a: torch 2.5.0, but pyproject.toml asks for <3,>=2.6"),
        ({"a": "torch 2.9.0", "b": "torch 2.8.1"}, "b: torch 2.8.1, but a names torch 2.9.0"),
    ],
)
def test_a_version_that_is_contradicted_is_named(texts: dict[str, str], fault: str) -> None:
    found = list(version_faults(texts, LOCKS, RANGES))
    assert found == [fault.replace("names torch ", "names ")]


def test_a_version_that_agrees_has_no_faults() -> None:
    texts = {"a": "MLflow 3.17 and torch 2.9.0", "b": "mlflow 3.17.2, torch 2.9; Docker 28.2"}
    assert list(version_faults(texts, LOCKS, RANGES)) == []


def test_locks_and_ranges_are_read_from_the_project() -> None:
    root = Path(__file__).resolve().parents[2]
    locks, ranges = locked(root / "requirements"), declared(root / "pyproject.toml")
    assert all(any(v in ranges[n] for v in locks[n]) for n in ("mlflow", "optuna", "mcp"))
