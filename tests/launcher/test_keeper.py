"""A keeper that fails in a way nobody thought of still answers those who wait."""

import io
import queue
import sys
from pathlib import Path

import pytest
from tests.launcher.test_session import MANIFEST, call

from ml_orchestrator.launcher.keeper import Keeper
from ml_orchestrator.launcher.manifest import Manifest
from ml_orchestrator.launcher.session import Session
from ml_orchestrator.launcher.wire import Output, parse

LIMIT_S = 60.0


class Heard(io.BytesIO):
    """What the client hears, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def write(self, line: object) -> int:
        assert isinstance(line, bytes)
        self.lines.put(line)
        return len(line)


def test_a_call_that_waits_is_answered_when_the_keeper_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Path) -> None:
        raise ZeroDivisionError("unforeseen")

    client = Heard()
    session = Session(Manifest.read(MANIFEST), Output(client))
    session.receive(call(1))
    # A plug-in whose environment is there already.
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    packages = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    (packages / "ml_orchestrator_mcp-0.dist-info").mkdir(parents=True)
    Keeper(tmp_path, tmp_path / "data", [], session, fail).start()
    answer = parse(client.lines.get(timeout=LIMIT_S))
    session.receive(call(2))

    for said in (answer, parse(client.lines.get(timeout=LIMIT_S))):
        assert said["result"]["isError"] is True
        assert "failed (ZeroDivisionError('unforeseen'))" in said["result"]["content"][0]["text"]
    assert "ZeroDivisionError: unforeseen" in capsys.readouterr().err
