"""``ml-orchestrator deploy``: what a person sees and hands in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.registry.flowers import make_desk, register_flowers

from ml_orchestrator.cli import main
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.storage.engine import open_database


@pytest.fixture
def rollouts(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RolloutDesk]:
    """Roll-outs of a model with two versions; no worker is started for them."""
    monkeypatch.setattr(
        "ml_orchestrator.orchestration.launch.WorkerLauncher.ensure", lambda _: None
    )
    desk = make_desk(home)
    register_flowers(home, desk, n=2)
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    yield RolloutDesk(database, lambda: desk)
    database.close()


def run(home: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(home), "deploy", *arguments])
    return int(ended.value.code or 0)


def test_a_dry_run_shows_the_phases_and_starting_shows_where_it_is(
    home: Path, rollouts: RolloutDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["start", "iris", "1", "--reason", "the first", "--spec", '{"bake_s": 5}']
    assert run(home, *start, "--dry-run") == 0
    plan = capsys.readouterr().out
    assert run(home, *start, "--key", "k", "--json") == 0
    started: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert run(home, "status", "iris") == 0
    status = capsys.readouterr().out
    rollout_id = started["rollout"]["rollout_id"]
    assert run(home, "decide", rollout_id, "abort", "--reason", "not now") == 0

    assert "1. loaded, before the switch\n  2. switch, then bake 5 s" in plan
    assert started["plan"]["digest"] in plan
    assert status.startswith(f"{rollout_id}  pending  [....................]")
    assert "pending: the first" in status
    assert "abort: not now" in capsys.readouterr().out
    assert rollouts.status(rollout_id).actor == "infrastructure-specialist"


def test_outcomes_are_read_from_json_lines_all_or_none(
    home: Path, rollouts: RolloutDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"request_id": "a", "version": 1, "prediction": "setosa", "truth": "setosa"}
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps(good) + "\n\n" + json.dumps({**good, "version": 2}) + "\n")
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({**good, "request_id": "b"}) + "\n" + '{"version": 1}\n')

    assert [run(home, "outcomes", "iris", str(f)) for f in (file, file, bad)] == [0, 0, 1]

    shown = capsys.readouterr()
    assert shown.out == (
        "2 outcomes of 'iris' are new, 0 were known\n0 outcomes of 'iris' are new, 2 were known\n"
    )
    assert "Line 2 cannot be used: request_id: Field required. Nothing was stored." in shown.err


def test_an_agent_without_the_right_and_a_spec_that_is_none_are_refused(
    home: Path, rollouts: RolloutDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["start", "iris", "1", "--reason", "why"]
    assert run(home, *start, "--agent", "performance-engineer") == 1
    assert "may not use deployment_start" in capsys.readouterr().err
    assert run(home, *start, "--spec", "[1]") == 1
    assert "--spec is a JSON object; found '[1]'" in capsys.readouterr().err
