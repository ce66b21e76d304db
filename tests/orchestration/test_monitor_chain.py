"""A monitor on a stream: from the shift to the version that was trained for it, by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.orchestration.workflow_bench import Bench, open_bench, until
from tests.registry.flowers import register_flowers

from ml_orchestrator.health.monitors.store import MonitorStore
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.monitors.desk import MonitorDesk
from ml_orchestrator.orchestration.monitors.opening import open_monitors
from ml_orchestrator.registry.requests import MoveRequest
from ml_orchestrator.serving.launch import stop_server
from ml_orchestrator.storage.engine import Database, open_database

TRAINING: dict[str, Any] = {
    "target": "bought",
    "model": "shop",
    "trainers": ["linear"],
    "n_trials": 1,
    "n_folds": 2,
    "refine": False,
}
GATE = {"metric": "health", "succeeds_at_most": 0, "interval_s": 0.1, "count": 1}
SPEC: dict[str, Any] = {
    "reference": "before.csv",
    "drift": {"columns": ["age", "price", "visits"]},
    "least_rows": 200,
    "every_s": 86_400,
    "tell": ["performance-engineer"],
}


class Shop:
    """A data directory with a champion, a stream of files, and a worker."""

    def __init__(self, bench: Bench, database: Database) -> None:
        self.bench = bench
        self.home = bench.settings.home
        self.store: MonitorStore = open_monitors(database)
        self.desk = MonitorDesk(bench.settings, database)
        self.registry = open_registry(bench.settings, database)
        self.mailbox = SqlMailbox(database, shipped=("performance-engineer", "ml-orchestrator"))
        self._rng = np.random.default_rng(7)

    def write(self, name: str, *, shift: float) -> None:
        features = self._rng.normal(shift, 1.0, size=(300, 3))
        bought = features[:, 0] + self._rng.normal(0, 1.0, size=300) > shift
        rows = [
            ",".join([*(f"{value:.4f}" for value in row), str(int(label))])
            for row, label in zip(features, bought, strict=True)
        ]
        path = self.home / name
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text("\n".join(["age,price,visits,bought", *rows]), encoding="utf-8")
        draft.replace(path)

    def day(self, monitor: str, number: int, *, shift: float) -> None:
        """Let one more file come and the monitor look at it."""
        before = self.store.get(monitor).n_looks
        self.write(f"{monitor}/day-{number}.csv", shift=shift)
        self.desk.run(monitor)
        until(lambda: self.store.get(monitor).n_looks > before, what=f"{monitor} looks")

    def alias(self, name: str) -> int | None:
        return self.registry.store.alias_version("shop", name)

    def told(self, agent: str) -> list[str]:
        messages = self.mailbox.inbox(agent, limit=50).messages
        return [m.metadata["event"] for m in messages if m.from_agent == "monitor"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("shop")
    (home / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    with open_bench(home, worker_idle_s=60) as bench:
        database = open_database(bench.settings.state_url, home)
        opened = Shop(bench, database)
        opened.write("before.csv", shift=0.0)
        yield opened
        stop_server(bench.settings, "shop")
        database.close()


def test_a_stream_without_a_shift_stays_quiet(shop: Shop) -> None:
    shop.desk.set("quiet", {**SPEC, "watch": "quiet/*.csv"}, actor="ann", dry_run=False)
    for number in range(1, 5):
        shop.day("quiet", number, shift=0.0)

    looks = shop.store.looks("quiet")
    assert [look.verdict for look in looks] == ["good"] * 4, [look.summary for look in looks]
    assert shop.desk.status("quiet").state == "healthy"
    assert shop.store.alerts("quiet") == []
    assert shop.told("ml-orchestrator") == []


def test_a_shift_is_alerted_told_trained_for_and_promoted_behind_gates_by_itself(
    shop: Shop,
) -> None:
    register_flowers(shop.home, shop.registry, model="shop")
    move = MoveRequest("shop", "champion", 1, None, actor="ann", reason="The first version.")
    shop.registry.mover.move(move)
    shop.write("labelled.csv", shift=1.0)
    roll_out = {"bake_s": 0.2, "gates": [{**GATE, "initial_delay_s": 0, "min_requests": 0}]}
    retrain = {"params": {**TRAINING, "source": "labelled.csv"}, "roll_out": roll_out}
    spec = {**SPEC, "watch": "sales/*.csv", "retrain": retrain, "open_after": 2, "of": 2}
    shop.desk.set("sales", spec, actor="ml-orchestrator", dry_run=False)

    shop.day("sales", 1, shift=1.0)
    assert shop.desk.status("sales").state == "suspect"
    assert shop.store.open_alerts() == []
    shop.day("sales", 2, shift=1.0)
    (alert,) = shop.store.open_alerts()
    until(lambda: shop.alias("challenger") == 2, what="a version is trained")
    until(lambda: shop.alias("champion") == 2, what="the new version is promoted")

    assert "'age'" in alert.summary
    assert shop.registry.mover.history("shop", "champion", limit=1).moves[0].actor == (
        "ml-orchestrator"
    )
    until(lambda: "trained" in shop.told("performance-engineer"), what="they are told")
    assert sorted(shop.told("performance-engineer")) == ["opened", "retrain", "trained"]

    shop.day("sales", 3, shift=1.0)  # the same episode
    assert [each.alert_id for each in shop.store.open_alerts()] == [alert.alert_id]
    for number in (4, 5):
        shop.day("sales", number, shift=0.0)
    until(lambda: "resolved" in shop.told("performance-engineer"), what="its end is told")
    (over,) = shop.store.alerts("sales")
    assert over.resolved_at is not None
    assert sum("Training run-" in event for event in over.events) == 1
    versions, _ = shop.registry.store.versions("shop", limit=10, cursor=None)
    assert [version.version for version in versions] == [2, 1]
