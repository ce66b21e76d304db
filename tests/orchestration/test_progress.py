"""Progress reports are thinned out, and the last one always arrives."""

import logging
import math
from pathlib import Path

import pytest

from ml_orchestrator.orchestration.progress import MIN_INTERVAL_S, ProgressStore, Reporter
from ml_orchestrator.storage.engine import open_database


def test_reports_are_thinned_and_the_last_is_always_stored(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    store = ProgressStore(database)
    ticks = iter([0.0, MIN_INTERVAL_S / 2, MIN_INTERVAL_S, MIN_INTERVAL_S * 1.1])
    report = Reporter(store, "run-1", "search", clock=lambda: next(ticks))

    seen = []
    for fraction in (0.1, 0.2, 0.3, 1.0):
        report(fraction, f"at {fraction}", {"score": fraction, "eta_s": math.inf})
        latest = store.latest("run-1")
        assert latest is not None
        seen.append((latest.fraction, latest.message, latest.numbers))
    nothing = store.latest("run-2")
    database.close()

    assert seen == [
        (0.1, "at 0.1", {"score": 0.1}),
        (0.1, "at 0.1", {"score": 0.1}),
        (0.3, "at 0.3", {"score": 0.3}),
        (1.0, "at 1.0", {"score": 1.0}),
    ]
    assert nothing is None


def test_a_step_goes_on_while_its_reports_cannot_be_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    store = ProgressStore(database)
    ticks = iter([0.0, 1.0, 2.0])
    report = Reporter(store, "run-1", "search", clock=lambda: next(ticks))
    database.write(lambda c: c.exec_driver_sql("ALTER TABLE run_progress RENAME TO away"))

    with caplog.at_level(logging.WARNING):
        report(0.1, "one")
        report(0.2, "two")
    database.write(lambda c: c.exec_driver_sql("ALTER TABLE away RENAME TO run_progress"))
    report(0.3, "three")

    latest = store.latest("run-1")
    database.close()
    assert latest is not None
    assert latest.message == "three"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1  # however long it lasts
    assert said[0].startswith("How far step search is cannot be told: The state database refused")
