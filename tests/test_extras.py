"""The command that installs an extra names the environment it is for, and the release there."""

import sys

import pytest

from ml_orchestrator import extras
from ml_orchestrator.extras import pip_install


def test_the_interpreter_at_work_is_named_even_with_a_blank_in_its_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: object())
    monkeypatch.setattr(extras, "__version__", "7.1.2")
    monkeypatch.setattr(sys, "executable", "/my envs/bin/python")

    assert pip_install("ray") == (
        "'/my envs/bin/python' -m pip install 'ml-orchestrator-mcp[ray]==7.1.2'"
    )


def test_an_environment_without_pip_is_installed_into_by_uv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    monkeypatch.setattr(extras, "__version__", "7.1.2")
    monkeypatch.setattr(sys, "executable", "/env/bin/python")

    assert pip_install("otel") == (
        "uv pip install --python /env/bin/python 'ml-orchestrator-mcp[otel]==7.1.2'"
    )
