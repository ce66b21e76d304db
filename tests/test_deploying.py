"""``ml-orchestrator deploy``: what a person sees and hands in."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.registry.flowers import iris, make_desk, register_flowers, train

from ml_orchestrator.cli import main
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.rollouts.opening import open_journal
from ml_orchestrator.serving.rollout.actions import Note, Turn
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

    assert plan.splitlines()[:-1] == [
        "iris @champion: version none -> 1",
        "  1. loaded, before the switch",
        "  2. switch, then bake 5 s",
        "  gate health             passes up to 0; 3 x every 2 s",
        "  gate error_rate         passes up to 0.01, fails above 0.05; 3 x every 10 s, from 20 "
        "answers",
        "  way back: nothing answers and @champion is unset; there is no version before it",
    ]
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
    assert "may not use ml-orchestrator deploy start" in capsys.readouterr().err
    assert run(home, *start, "--spec", "[1]") == 1
    assert "--spec is a JSON object; found '[1]'" in capsys.readouterr().err


def watched(home: Path, monkeypatch: pytest.MonkeyPatch, opened: tuple[int, int], act: Any) -> Any:
    """Run ``status --watch``; act at its first picture; return its code and all it showed."""
    (reading, writing), shown = opened, bytearray()

    def read() -> None:
        has_acted = False
        with suppress(OSError):  # a terminal whose other side is closed
            while part := os.read(reading, 65_536):
                shown.extend(part)
                if not has_acted and b"a test" in shown:
                    has_acted = True
                    act()

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(writing, "w", encoding="utf-8") as output, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        code = run(home, "status", "iris", "--watch")
    reader.join()
    os.close(reading)
    return code, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("open_output", [pty.openpty, os.pipe])
def test_watching_draws_in_place_on_a_terminal_and_elsewhere_adds_what_is_new(
    home: Path,
    rollouts: RolloutDesk,
    monkeypatch: pytest.MonkeyPatch,
    open_output: Callable[[], tuple[int, int]],
) -> None:
    plan = rollouts.plan("iris", 1, alias="champion", expected_version=None, spec={}, actor="ada")
    rollout_id = rollouts.start(plan, actor="ada", reason="a test", key=None)
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    journal = open_journal(database)

    def end() -> None:
        turn = Turn("aborted", {"reason": "enough"}, (Note("state", "aborted: enough"),))
        journal.record(journal.take(rollout_id), turn)

    code, shown = watched(home, monkeypatch, open_output(), end)

    assert code == 1
    begins = f"{rollout_id}  pending  [{'.' * 20}]"
    ends = f"{rollout_id}  aborted  [{'#' * 20}]"
    if open_output is os.pipe:
        lines = shown.splitlines()
        assert lines[0] == begins
        assert lines[-4].endswith("state    aborted: enough")
        assert lines[-3] == ends
    else:
        first, last = (picture.splitlines() for picture in shown.split("\033[H\033[2J")[1:])
        assert (first[0], last[0]) == (begins, ends)
        assert last[-1].endswith("state    aborted: enough")
    database.close()


def test_watching_ends_when_somebody_is_needed_and_says_for_what(
    home: Path, rollouts: RolloutDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = rollouts.plan("iris", 1, alias="champion", expected_version=None, spec={}, actor="ada")
    rollout_id = rollouts.start(plan, actor="ada", reason="a test", key=None)
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    journal = open_journal(database)
    paused = Turn("paused", {"paused_in": "baking", "paused_for": "gate", "reason": "no data"})
    journal.record(journal.take(rollout_id), paused)

    assert run(home, "status", "iris", "--watch") == 2
    assert (
        f"needs: ml-orchestrator deploy decide {rollout_id} CHOICE --reason WHY: resume measures "
        "anew" in capsys.readouterr().out
    )

    assert run(home, "decide", rollout_id, "resume", "--reason", "labels came") == 0
    assert "needs: " not in capsys.readouterr().out  # the worker has it
    database.close()


def test_watching_goes_on_until_a_person_can_be_told_which_approval_is_theirs(
    home: Path, rollouts: RolloutDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = rollouts.plan("iris", 1, alias="champion", expected_version=None, spec={}, actor="ada")
    rollout_id = rollouts.start(plan, actor="ada", reason="a test", key=None)
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    journal = open_journal(database)
    waiting: dict[str, Any] = {"paused_in": "loading", "paused_for": "approval"}
    journal.record(journal.take(rollout_id), Turn("paused", waiting))
    assert rollouts.status(rollout_id).needs is None

    def name_it() -> None:
        wanted = {**waiting, "approval_id": "0123456789ab"}
        journal.record(journal.take(rollout_id), Turn("paused", wanted, (Note("state", "asked"),)))

    code, shown = watched(home, monkeypatch, os.pipe(), name_it)

    assert code == 2
    assert "A person's approval" not in shown
    assert "  needs: A person: ml-orchestrator approve 0123456789ab\n" in shown
    database.close()


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (["start", "iris", "1", "--expect", "2", "--reason", "why"], "points to now as --expect"),
        (["start", "iris", "1", "--reason", "x"], "--reason takes 3 to 2000 characters"),
        (["start", "iris", "1", "--reason", "  x  "], "--reason takes 3 to 2000 characters"),
        (["decide", "rollout-1", "abort", "--reason", "x" * 2_001], "--reason takes 3 to 2000"),
        (["status", "iris"], "ml-orchestrator deploy start begins one"),
    ],
)
def test_errors_speak_of_options_and_commands_and_not_of_tools(
    home: Path,
    rollouts: RolloutDesk,
    capsys: pytest.CaptureFixture[str],
    act: list[str],
    said: str,
) -> None:
    assert run(home, *act) == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert not re.search("expected_version|deployment_|plan_digest", shown)


@pytest.mark.parametrize(
    "act", [["deploy", "status", "iris"], ["approvals"], ["keys", "list"], ["deploy", "decide",
            "rollout-1", "abort", "--reason", "enough"]],
)  # fmt: skip
def test_what_only_reads_our_own_records_loads_nothing_heavy(home: Path, act: list[str]) -> None:
    program = (
        "import sys, atexit\n"
        "from ml_orchestrator.cli import main\n"
        "heavy = {'mlflow', 'pandas', 'sklearn', 'scipy', 'skops', 'dbos', 'optuna'}\n"
        "atexit.register(lambda: print(sorted(heavy & sys.modules.keys())))\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", program, "--home", str(home), *act]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


def test_rows_are_predicted_as_by_model_predict(
    home: Path,
    rollouts: RolloutDesk,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = iris()[0].iloc[::50]
    own = train(c=2.0).predict(frame).tolist()
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(frame.to_dict(orient="records")))

    assert run(home, "predict", "iris", str(file), "--version", "2") == 0
    assert capsys.readouterr().out.splitlines() == own
    monkeypatch.setattr(sys, "stdin", io.StringIO(file.read_text()))
    assert run(home, "predict", "iris", "-", "--version", "2", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["version"], answer["predictions"]) == (2, own)


def test_what_makes_predictions_worth_less_is_said_beside_them(
    home: Path, rollouts: RolloutDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.json"
    rows = [{**row, "colour": "red"} for row in iris()[0].head(1).to_dict(orient="records")]
    file.write_text(json.dumps(rows))

    assert run(home, "predict", "iris", str(file), "--version", "2") == 0
    shown = capsys.readouterr()
    assert run(home, "predict", "iris", str(file), "--version", "2", "--json") == 0
    answer = json.loads(capsys.readouterr().out)

    assert len(shown.out.splitlines()) == 1
    assert shown.err == "Not used, since the model does not take it: colour.\n"
    assert answer["notices"] == ["Not used, since the model does not take it: colour."]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "holds no rows as JSON"),
        ("[]", "must hold a JSON list of 1 to 1000 rows"),
        ("[1]", "must hold a JSON list of 1 to 1000 rows"),
        ('[{"colour": 1}]', "colour"),
    ],
)
def test_what_are_no_rows_of_the_model_is_refused(
    home: Path,
    rollouts: RolloutDesk,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    said: str,
) -> None:
    file = tmp_path / "rows.json"
    file.write_text(content)
    assert run(home, "predict", "iris", str(file), "--version", "1") == 1
    assert said in capsys.readouterr().err
    assert run(home, "predict", "iris", str(tmp_path / "none.json")) == 1
    assert f"No file '{tmp_path}" in capsys.readouterr().err
