import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from ml_orchestrator.app_doors import Doors
from ml_orchestrator.settings import Settings

ENDED = "can't register atexit after shutdown"


def doors_of(
    home: Path, monkeypatch: pytest.MonkeyPatch, **doors: Callable[[], object]
) -> tuple[Doors, list[str]]:
    """Doors that only say that they were opened, and ``doors`` in the place of some."""
    opened: list[str] = []
    names = ("memory", "mailbox", "bus", "progress", "registry", "runs")
    stand_ins: dict[str, Callable[[], object]] = {n: partial(opened.append, n) for n in names}
    made = Doors(Settings.read({}, home=home))
    monkeypatch.setattr(made, "stores", SimpleNamespace(**{**stand_ins, **doors}))
    return made, opened


def test_what_the_end_of_the_server_cuts_off_is_no_fault_in_its_log(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    def cut_off() -> None:
        ended.set()
        raise RuntimeError(ENDED)

    doors, opened = doors_of(home, monkeypatch, bus=cut_off)
    doors.warm(ended)

    assert opened == ["memory", "mailbox"]
    assert caplog.records == []


def test_what_cannot_be_prepared_while_the_server_runs_is_logged_and_the_rest_is_opened(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no such library")

    doors, opened = doors_of(home, monkeypatch, bus=fail)
    doors.warm(threading.Event())

    assert opened == ["memory", "mailbox", "progress", "registry", "runs"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
