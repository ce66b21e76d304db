"""A data directory with a reference, whose monitors look by hand; for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ml_orchestrator.health.monitors.models import Look, read_spec
from ml_orchestrator.health.monitors.store import MonitorStore
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.monitors.acting import AlertActions
from ml_orchestrator.orchestration.monitors.desk import MonitorDesk
from ml_orchestrator.orchestration.monitors.looking import look_once
from ml_orchestrator.orchestration.monitors.opening import open_monitors
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

DRIFT: dict[str, Any] = {"reference": "before.csv", "drift": {}, "least_rows": 50}
AGENT = "performance-engineer"


class Bench:
    """A data directory without a worker; looks are taken by hand."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.read({}, home=home / "home", project_dir=home)
        self.folder = home
        self.database = open_database(self.settings.state_url, self.settings.home)
        self.store: MonitorStore = open_monitors(self.database)
        self.mailbox = SqlMailbox(self.database, shipped=(AGENT, "ml-orchestrator"))
        self._rng = np.random.default_rng(3)
        self._n_runs = 0

    def rows(self, n_rows: int = 200, *, shift: float = 0.0) -> pl.DataFrame:
        age = self._rng.normal(40 + 10 * shift, 10, n_rows)
        plan = self._rng.choice(["basic", "plus"], n_rows, p=[0.7, 0.3])
        label = (age + self._rng.normal(0, 5, n_rows) > 40).astype(int)
        return pl.DataFrame({"age": age, "plan": plan, "label": label, "said": (age > 40) * 1})

    def write(self, name: str, frame: pl.DataFrame) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        frame.write_csv(path)
        return path

    def put(self, **given: Any) -> None:
        spec = read_spec({"watch": "now.csv", **DRIFT, **given})
        self.store.put("m", spec, owner=AGENT, is_paused=False)

    def look(self) -> Look:
        self._n_runs += 1
        look_once(self.settings, self.store, "m", run_id=f"run-{self._n_runs}")
        return self.store.looks("m", limit=1)[0]

    def act(self) -> list[str]:
        def no_client() -> Any:
            raise AssertionError("nothing here starts a run")

        actions = AlertActions(self.settings, self.database, self.store, client=no_client)
        return actions.settle(self.store.get("m"))

    def set(self, **given: Any) -> list[str]:
        """Set a monitor as a person would; return what it does, without doing it."""
        desk = MonitorDesk(self.settings, self.database)
        spec = {"watch": "now.csv", **DRIFT, **given}
        return list(desk.set("m", spec, actor="ann", dry_run=True).does)


@contextmanager
def open_bench(folder: Path) -> Iterator[Bench]:
    """Give a bench with 1,500 rows as the reference."""
    opened = Bench(folder)
    opened.write("before.csv", opened.rows(1_500))
    yield opened
    opened.database.close()
