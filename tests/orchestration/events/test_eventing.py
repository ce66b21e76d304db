"""Events in a terminal, as a person sees and replays them."""

import json
from pathlib import Path

import pytest
from tests.orchestration.events.kettles import Kitchen, World, durable

from ml_orchestrator.cli import main
from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.orchestration.events.definition import Envelope
from ml_orchestrator.orchestration.events.kinds import DriftFound
from ml_orchestrator.storage.engine import open_database

DRIFT = DriftFound(reference="a.csv", current="b.csv", share_drifted=0.5, columns=("x",))


@pytest.fixture
def events(tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs ``ml-orchestrator events …`` and returns the exit code and what was said."""

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(tmp_path), "events", *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


def test_events_are_listed_followed_and_named(events, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert events("list") == (0, "No events.\n")
    world = World(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path))
    world.boil(1)
    world.log.publish(world.outbox, DRIFT)
    world.close()

    code, told = events("list", "--name", "drift.found", "--json")
    assert (code, json.loads(told)["payload"]["columns"]) == (0, ["x"])
    code, told = events("tail", "--after", "1", "--for", "0")
    assert (code, told.split()[3:5]) == (0, ["drift.found", "drift:a.csv"])
    assert "normal  kettle.boiled        kettle:blue" in events("list", "--limit", "2")[1]
    code, told = events("list", "--name", "tea.drunk")
    assert (code, "No event named 'tea.drunk'; known: alert.opened" in told) == (1, True)
    assert events("list", "--limit", "0")[0] == 1


def test_dead_letters_are_shown_and_tried_again(events, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def refuse(_: Envelope) -> None:
        raise NotFoundError("no such kettle")

    assert events("dead") == (0, "No dead letters.\n")
    world = World(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path))
    kitchen = Kitchen(refuse)
    running = world.start(durable(kitchen))
    world.boil(1)
    kitchen.wait_for(1)
    running.close()
    told = events("dead")[1]
    replayed = events("replay", "kitchen")
    again = Kitchen()
    world.start(durable(again))
    again.wait_for(1)
    world.close()

    assert told.startswith("kitchen:      1  ")
    assert "after 1: no such kettle" in told
    assert replayed == (0, "1 dead letters of kitchen are tried again.\n")
    assert [envelope.id for envelope in again.seen] == [kitchen.seen[0].id]
    code, told = events("replay", "pantry", "--after", "0")
    assert (code, "known: kitchen" in told) == (1, True)
