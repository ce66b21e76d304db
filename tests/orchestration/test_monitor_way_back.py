"""A monitor that takes a version back: by the rules of the alias, as its owner, once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.registry.flowers import register_flowers

from ml_orchestrator.health.monitors.models import Look, read_spec
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.monitors.acting import AlertActions
from ml_orchestrator.orchestration.monitors.looking import look_once
from ml_orchestrator.orchestration.monitors.opening import open_monitors
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.registry.requests import MoveRequest
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

OWNER = "infrastructure-specialist"


class Bench:
    """A registry with two versions, and a monitor whose next look is bad."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.read({}, home=home, project_dir=home)
        self.database: Database = open_database(self.settings.state_url, home)
        self.registry = open_registry(self.settings, self.database)
        self.store = open_monitors(self.database)
        register_flowers(home, self.registry, n=2, model="iris")

    def moved(self, alias: str, version: int, expected: int | None) -> None:
        request = MoveRequest("iris", alias, version, expected, actor="ann", reason="tried")
        self.registry.mover.move(request)

    def alerted(self, alias: str, *, monitor: str = "m") -> list[str]:
        """Open an alert that takes the alias back; return what was done about it."""
        self.put(alias, monitor=monitor)
        version = self.registry.store.alias_version("iris", alias)
        look = Look(at="2026-03-28T12:00:00+00:00", verdict="bad", summary="It is bad.")
        self.store.record(monitor, look, run_id=f"run-{alias}-{monitor}", version=version)
        return self.act(monitor)

    def put(self, alias: str, *, monitor: str = "m", owner: str = OWNER) -> None:
        back = {"model": "iris", "alias": alias}
        given: dict[str, Any] = {"watch": "x.csv", "reference": "y.csv", "quality": {}}
        spec = read_spec({**given, "roll_back": back, "open_after": 1, "of": 1, "least_rows": 10})
        self.store.put(monitor, spec, owner=owner, is_paused=False)

    def act(self, monitor: str = "m") -> list[str]:
        def no_client() -> Any:
            raise AssertionError("nothing here starts a run")

        actions = AlertActions(self.settings, self.database, self.store, client=no_client)
        return actions.settle(self.store.get(monitor))


@pytest.fixture
def bench(home: Path) -> Iterator[Bench]:
    opened = Bench(home)
    yield opened
    opened.database.close()


def test_the_alias_goes_back_once_also_after_a_worker_that_died_before_it_could_say_so(
    bench: Bench,
) -> None:
    bench.moved("champion", 1, None)
    bench.moved("champion", 2, 1)

    done = bench.alerted("champion")
    assert done[1] == "@champion of 'iris' went back from version 2 to version 1."
    (move, *_) = bench.registry.mover.history("iris", "champion", limit=1).moves
    assert (move.actor, move.evidence) == (OWNER, "It is bad.")

    (alert,) = bench.store.open_alerts()
    owed = '["roll_back:2"]'  # as if the worker had died before it struck it off
    with bench.database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE alerts SET owed = '{owed}'")
    assert bench.act() == [done[1]]
    assert bench.registry.store.alias_version("iris", "champion") == 1
    assert len(bench.registry.mover.history("iris", "champion", limit=9).moves) == 3
    assert alert.monitor == "m"


def test_where_every_move_needs_a_person_one_is_asked_and_nothing_moves(bench: Bench) -> None:
    policies = bench.settings.home / "policies.toml"
    rules = "[alias.production]\ngates = []\ncool_down_s = 0\napproval = "
    policies.write_text(f'{rules}"never"\n')
    bench.moved("production", 1, None)
    bench.moved("production", 2, 1)
    policies.write_text(f'{rules}"always"\n')

    done = bench.alerted("production")

    assert done[1].startswith("A person must approve roll_back: ")
    assert "ml-orchestrator approve" in done[1]
    assert bench.registry.store.alias_version("iris", "production") == 2
    (waiting,) = bench.registry.approvals.pending()
    assert waiting.requested_by == OWNER
    assert bench.act() == []  # asked and said once

    bench.registry.approvals.decide(waiting.id, "approved", decided_by="ann", via="terminal")
    assert bench.act() == ["@production of 'iris' went back from version 2 to version 1."]
    assert bench.registry.store.alias_version("iris", "production") == 1
    assert bench.act() == []


def test_a_version_that_one_monitor_left_is_not_brought_back_by_another(bench: Bench) -> None:
    bench.moved("champion", 1, None)
    bench.moved("champion", 2, 1)
    bench.put("champion", monitor="late")
    look = Look(at="2026-03-28T12:00:00+00:00", verdict="bad", summary="It is bad.")
    bench.store.record("late", look, run_id="run-1", version=2)  # it opens while at 2

    assert "went back" in bench.alerted("champion", monitor="first")[1]
    assert "was at version 2" in bench.act("late")[1]
    assert "was a way back itself" in bench.alerted("champion", monitor="third")[1]
    assert bench.registry.store.alias_version("iris", "champion") == 1


def test_a_look_that_opens_an_alert_keeps_where_the_alias_pointed(bench: Bench) -> None:
    bench.moved("champion", 1, None)
    rows = "\n".join(str(n) for n in range(200))
    for name in ("x", "y"):
        (bench.settings.home / f"{name}.csv").write_text(f"{name}\n{rows}\n")
    bench.put("champion")
    look_once(bench.settings, bench.store, "m", run_id="run-1")

    (owed,) = bench.store.owed("m")
    assert (owed.actions, owed.version) == (("tell", "roll_back"), 1)


def test_an_alias_that_a_roll_out_of_another_alias_leaves_alone_is_moved_itself(
    bench: Bench,
) -> None:
    bench.moved("champion", 1, None)
    bench.moved("champion", 2, 1)
    desk = RolloutDesk(bench.database, lambda: bench.registry)
    plan = desk.plan("iris", 2, alias="dev", expected_version=None, spec={}, actor=OWNER)
    desk.start(plan, actor=OWNER, reason="tried", key="@k")

    assert bench.alerted("champion")[1].startswith("@champion of 'iris' went back")
