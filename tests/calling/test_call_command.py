"""``ml-orchestrator call``, ``train`` and ``registry``: the server's tools in a terminal."""

import argparse
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.loaded import loaded_after
from tests.registry.flowers import log_flowers, make_desk, register_flowers

from ml_orchestrator.calling import acts
from ml_orchestrator.calling.showing import outline
from ml_orchestrator.cli import main
from ml_orchestrator.logs import log_to_stderr
from ml_orchestrator.registry.leaks import leak_tags
from ml_orchestrator.tools import TOOLS
from ml_orchestrator.tools.in_process import Answer, Caller

REASON = ["--reason", "better on held-out rows"]


@pytest.fixture(autouse=True)
def _of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ML_ORCHESTRATOR_LOG_LEVEL", "ERROR")
    monkeypatch.delenv("CLAUDECODE", raising=False)  # who tests may be an agent


def run(home: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(home), *arguments])
    return int(ended.value.code or 0)


def asked(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(home, *arguments, "--json-output") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_without_a_tool_all_are_listed_with_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "home", "call") == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(TOOLS)
    assert [line.split(maxsplit=2)[1:] for line in lines if "training_start" in line] == [
        ["adds", "Train and tune a model in the background; returns a run_id at once."]
    ]


def test_read_only_only_tools_that_read_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_ORCHESTRATOR_MODE", "read-only")
    assert run(tmp_path / "home", "call") == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == sorted(name for name, entry in TOOLS.items() if entry.reads_only)

    assert run(tmp_path / "home", "train", "builtin:iris", "species") == 1

    assert "training_start changes things and the mode is read-only" in capsys.readouterr().err


def test_help_prints_the_arguments_of_a_tool_from_its_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "home", "call", "training_start", "--help") == 0
    manual = capsys.readouterr().out
    assert run(tmp_path / "home", "call", "--help") == 0

    assert manual.startswith(
        "usage: ml-orchestrator call training_start source=... model=... [name=value ...]"
        "\n\nTrain and tune a model in the background; returns a run_id at once. "
    )
    assert (
        "  n_trials (whole number, default 30)\n      Of the search. (at least 1; at most 1,000)\n"
        in manual
    )
    assert "  trainers (JSON list)\n" in manual
    assert capsys.readouterr().out.startswith("usage: ml-orchestrator call [TOOL [name=value ...]]")


def test_an_answer_is_shown_as_lines_or_as_the_record(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register_flowers(home, make_desk(home), n=2)

    page = asked(home, capsys, "call", "registry_list", "model=iris", "limit=1")
    assert run(home, "call", "registry_list", "model=iris", "limit=1") == 0

    assert [version["version"] for version in page["versions"]] == [2]
    assert capsys.readouterr().out == outline(page) + "\n"
    assert "version: 2" in outline(page)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["registry_lists"],
            "No tool named 'registry_lists' (did you mean 'registry_list'?); known: ",
        ),
        (["registry_list", "limit=0"], "Argument 'limit': Input should be greater than or equal"),
        (["registry_list", "limit=x"], "Argument 'limit' takes a whole number; found 'x'"),
        (["registry_list", "page=2"], "Unknown argument 'page'; known: model, limit, cursor."),
        (["registry_list", "--agent", "me"], "Unknown argument 'agent'"),
        (["memory_forget"], "memory_forget was not run."),
        (
            ["training_start", "--agent", "infrastructure-specialist", "source=x", "model=x"],
            "Agent 'infrastructure-specialist' may not use training_start; ml-orchestrator, "
            "performance-engineer may.",
        ),
        (["training_status", "run_id=unknown"], "unknown"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words_and_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(tmp_path / "home", "call", *arguments) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("ml-orchestrator: ")
    assert said in told.err


def test_pictures_are_written_beside_one_another_and_their_places_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = ["call", "dataset_profile", "source=builtin:iris", "with_plot=true"]
    Path("dataset_profile.png").write_bytes(b"another's")
    assert run(tmp_path / "home", *profile) == 0
    assert run(tmp_path / "home", *profile, "--picture", "mine.png") == 0
    assert run(tmp_path / "home", *profile, "--picture", "nowhere/mine.png") == 1

    names = ["dataset_profile-2.png", "mine.png"]
    *told, refused = capsys.readouterr().err.splitlines()
    assert told == [f"A picture is in {name}" for name in names]
    assert refused == (
        "ml-orchestrator: nowhere/mine.png cannot be written: No such file or directory."
    )
    assert Path("dataset_profile.png").read_bytes() == b"another's"
    assert all(Path(name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_further_pictures_replace_nothing_and_follow_no_link(tmp_path: Path) -> None:
    for name in ("a.png", "a-2.png"):
        Path(name).write_bytes(b"another's")
    Path("a-3.png").symlink_to("elsewhere.png")

    told = acts._write([b"1", b"2"], argparse.Namespace(picture=Path("a.png")))

    assert told == [Path("a.png"), Path("a-4.png")]
    assert [Path(name).read_bytes() for name in ("a.png", "a-2.png")] == [b"1", b"another's"]
    assert not Path("elsewhere.png").exists()
    Path("t.png").symlink_to("elsewhere.png")
    assert acts._write([b"1"], argparse.Namespace(tool="t")) == [Path("t-2.png")]
    assert not Path("elsewhere.png").exists()


@pytest.mark.parametrize(
    ("line", "tool"),
    [
        (["call", "memory_save", "kind=lesson"], "memory_save"),
        (["train", "builtin:iris", "species"], "training_start"),
        (["registry", "move", "iris", "champion", "1", *REASON], "registry_move_alias"),
    ],
)
def test_an_agents_shell_may_only_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    line: list[str], tool: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("CLAUDECODE", "1")

    assert run(tmp_path / "home", *line) == 1

    assert capsys.readouterr().err == (
        f"ml-orchestrator: {tool} changes something, and this is the shell of an agent, which may "
        f"only read from here. Call the tool {tool} of the MCP server instead.\n"
    )
    assert asked(tmp_path / "home", capsys, "call", "registry_list")["models"] == []


@pytest.mark.parametrize(
    ("given", "model"),
    [([], "iris"), (["model=x"], "x"), (["--model", "x"], "x"), (["--model", "y", "model=x"], "")],
)
def test_a_model_is_called_as_its_data_unless_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    given: list[str], model: str,
) -> None:  # fmt: skip
    heard: list[dict[str, Any]] = []

    async def note(_: Caller, tool: str, arguments: dict[str, Any], __: object) -> Answer:
        heard.append({"tool": tool, **arguments})
        return Answer("told", None, (), is_error=False)

    monkeypatch.setattr(Caller, "call", note)

    assert run(tmp_path / "home", "train", "builtin:iris", "species", *given) == int(not model)

    assert [each["model"] for each in heard] == ([model] if model else [])
    assert ("Argument 'model' is given twice." in capsys.readouterr().err) == (not model)


@pytest.mark.parametrize(
    ("given", "types"),
    [
        (["--ignore", "a b", "--ignore", "c=d"], {"a b": "ignore", "c=d": "ignore"}),
        (["--ignore", "a", 'column_types={"b": "numeric"}'], {"a": "ignore", "b": "numeric"}),
        (["--ignore", "a", 'column_types={"a": "numeric"}'], None),
    ],
)
def test_columns_are_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    given: list[str], types: dict[str, str] | None,
) -> None:  # fmt: skip
    heard: list[Any] = []

    async def note(_: Caller, tool: str, arguments: dict[str, Any], __: object) -> Answer:
        heard.append(arguments["column_types"])
        return Answer("told", None, (), is_error=False)

    monkeypatch.setattr(Caller, "call", note)
    (tmp_path / "t.csv").touch()

    assert run(tmp_path / "home", "train", "t.csv", "y", *given) == int(types is None)

    assert heard == ([] if types is None else [types])
    said = "Column 'a' is to be ignored and read as 'numeric'; choose one."
    assert (said in capsys.readouterr().err) == (types is None)


def test_an_alias_is_moved_by_the_rules_of_the_server(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register_flowers(home, make_desk(home), n=2)
    move = ["registry", "move", "iris"]

    plan = asked(home, capsys, *move, "champion", "1", *REASON, "--dry-run")
    digest = ["--plan-digest", plan["plan"]["digest"]]
    moved = asked(home, capsys, *move, "@champion", "1", *REASON, *digest)
    assert run(home, *move, "champion", "2", *REASON) == 1  # it is not unset any more
    stale = capsys.readouterr().err
    asked(home, capsys, *move, "champion", "2", *REASON, "--expect", "1")
    asked(home, capsys, *move, "champion", "previous", *REASON, "--expect", "2")
    assert run(home, *move, "production", "1", *REASON) == 1
    person = capsys.readouterr().err

    assert plan["move"] is None
    assert moved["move"]["actor"] == "ml-orchestrator"
    assert "points to version 1" in stale
    assert "the version it points to now as --expect." in stale
    assert "ml-orchestrator approve " in person
    assert asked(home, capsys, "registry", "list")["models"][0]["aliases"] == {"champion": 1}
    shown = asked(home, capsys, "registry", "show", "iris")
    assert [version["aliases"] for version in shown["versions"]] == [[], ["champion"]]


def test_what_may_leak_the_target_is_told_with_the_version(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = make_desk(home)
    register_flowers(home, desk)
    logged = log_flowers(home, "leaks", c=2.0)
    tags = leak_tags(["paid at"])
    desk.vault.register("iris", source_uri=logged.source_uri, run_id=logged.run_id, tags=tags)

    assert run(home, "registry", "show", "iris") == 0
    lines = capsys.readouterr().out.splitlines()
    shown = asked(home, capsys, "registry", "show", "iris")

    said = (
        "'paid at' may leak the target. If it is not known when the model is asked, the scores say "
        "nothing: train without it, by "
    )
    assert [line for line in lines if "may leak" in line] == lines[-1:]
    assert lines[-1] == f"warning: version 2: {said}train --ignore 'paid at'."
    assert [version["warnings"] for version in shown["versions"]] == [
        [f'{said}column_types {{"paid at": "ignore"}}.'],
        [],
    ]


@pytest.mark.parametrize(
    ("tool", "state", "is_told"),
    [
        ("training_start", "queued", True),
        ("training_start", "failed", False),
        ("training_status", "running", False),
    ],
)
def test_whoever_starts_a_run_hears_how_to_follow_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tool: str, state: str, is_told: bool,
) -> None:  # fmt: skip
    async def answer(_: Caller, __: str, ___: dict[str, Any], ____: object) -> Answer:
        return Answer("", {"run_id": "run-1", "state": state}, (), is_error=False)

    monkeypatch.setattr(Caller, "call", answer)
    home = tmp_path / "home"

    asked = ["run_id=run-1"] if tool == "training_status" else ["source=x", "model=m"]
    assert run(home, "call", tool, *asked) == 0

    said = f"Follow it: ml-orchestrator --home {home} runs show run-1 --watch\n"
    assert (said in capsys.readouterr().err) == is_told


def test_a_training_is_followed_in_a_terminal(home: Path, tmp_path: Path) -> None:
    small = ["n_trials=1", 'trainers=["linear"]', "n_folds=2", "refine=false"]
    line = ["train", "builtin:iris", "species", small[0], "--watch", *small[1:]]
    ran = subprocess.run(
        [sys.executable, "-m", "ml_orchestrator", "--home", str(home), *line],
        cwd=tmp_path,
        env={
            **os.environ,
            "ML_ORCHESTRATOR_WORKER_IDLE_S": "1",
            "ML_ORCHESTRATOR_LOG_LEVEL": "INFO",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    head, score, baseline, model, *rest = ran.stdout.splitlines()
    run_id = re.search(r"run-[0-9a-f]+", ran.stderr)
    assert run_id
    assert head == f"{run_id[0]}  succeeded: species (classification)"
    assert re.match(r"  held out  f1_macro 0\.\d+ \(.* to .*, 95%\) on 30 rows; higher", score)
    assert re.match(r"  baseline  0\.1667 \(class shares\); gain \+0\.\d+ \(.*, 90%\)$", baseline)
    assert model == "  model     iris version 1 @challenger, linear"
    assert f"  ml-orchestrator --home {home} registry show iris" in rest
    assert f"  ml-orchestrator --home {home} registry move iris champion 1 --reason '...'" in rest
    show = f"  ml-orchestrator --home {home} runs show {run_id[0]}   # all of it; --json prints"
    assert rest[-1].startswith(show)
    assert len(rest) < 12
    assert "Started worker" not in ran.stderr
    assert "; it goes on without this terminal. To see it again: " in ran.stderr
    assert re.search(r"^ *\d+ %  \w+: ", ran.stderr, re.MULTILINE)
    assert "Traceback" not in ran.stderr


def test_a_line_of_progress_says_something_new(capsys: pytest.CaptureFixture[str]) -> None:
    report = acts._Progress()

    async def go() -> None:
        for percent in range(2, 14):
            await report(percent, f"search: Trial {percent} of 30; at most {90 - percent} s left.")
        await report(13, "search: Trial 13 of 30; best f1 0.9, at most 70 s left.")
        await report(13, "search: Trial 13 of 30; best f1 0.9, at most 69 s left.")
        await report(90, "register: logging the model")
        await report(90, "register: logging the model")

    anyio.run(go)

    assert capsys.readouterr().err.splitlines() == [
        "  2 %  search: Trial 2 of 30; at most 88 s left.",
        "  7 %  search: Trial 7 of 30; at most 83 s left.",
        " 12 %  search: Trial 12 of 30; at most 78 s left.",
        " 13 %  search: Trial 13 of 30; best f1 0.9, at most 70 s left.",
        " 90 %  register: logging the model",
    ]


def test_a_person_reads_warnings_as_text_and_a_log_is_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("ml_orchestrator.tests")
    for for_person in (True, False):
        log_to_stderr("INFO", for_person=for_person)
        log.info("Started")
        log.warning("%s is slow\x1b[2J", "disk")

    text, *lines = capsys.readouterr().err.splitlines()
    assert text == "warning: disk is slow?[2J"
    assert [json.loads(line)["level"] for line in lines] == ["INFO", "WARNING"]


def test_a_mistyped_data_directory_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "mistyped"

    for line in (["registry", "show", "iris"], ["serve", "--model", "iris"]):
        assert run(home, *line) == 1
        said = capsys.readouterr().err
        assert f"No registered model named 'iris' in the data directory {home}; known: none" in said


def test_an_answer_cannot_move_a_terminals_cursor() -> None:
    hostile = {"name": "a\x1b[2Jb", "note": "one\ntwo\u202e", "unread": {"n_unread": 0}}

    shown = outline(hostile)

    assert shown == 'name: "a\\e[2Jb"\nnote: |-\n  one\n  two?'


def test_what_is_empty_is_left_out_unless_nothing_else_is_there() -> None:
    page = {"models": [{"name": "iris", "tags": {}, "n": 0}], "moves": [], "next_cursor": None}

    assert outline(page) == "models:\n- name: iris\n  n: 0"
    assert outline({"models": [], "moves": []}) == "models: []\nmoves: []"
    assert (
        outline({"flags": {"a": None}, "is_over": False, "note": ""}) == "is_over: false\nnote: ''"
    )


def test_a_registry_without_models_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"

    assert run(home, "registry", "list") == 0

    assert capsys.readouterr().out == f"No models are registered yet in {home}.\n"
    assert asked(home, capsys, "registry", "list")["models"] == []


def test_fractions_are_short_where_nothing_is_lost_by_it() -> None:
    numbers = {"share": 1 / 3, "small": 1.23456789e-9, "at": 1_764_262_241.25, "none": [0.0, 2]}

    assert outline(numbers).splitlines() == [
        "share: 0.333333",
        "small: 1.23457e-09",
        "at: 1764262241.25",
        "none: [0.0, 2]",
    ]


def test_the_command_line_begins_without_the_server_and_its_client() -> None:
    heavy = ("mcp", "yaml", "anyio", "ml_orchestrator.app", "ml_orchestrator.calling.acts")
    assert loaded_after("import ml_orchestrator.cli", heavy) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--agent", ""], "'' is not an agent's name. Use small letters"),
        (
            ["agent=tuner", "--agent", "tester"],
            "--agent is 'tester' and the argument agent 'tuner'. Give one of them, or the same "
            "twice. message_inbox was not called.",
        ),
    ],
)
def test_who_acts_is_one_agent_with_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(tmp_path / "home", "call", "message_inbox", *words) == 1

    assert said in capsys.readouterr().err


def test_the_same_agent_named_twice_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("agent=tuner", "--agent", "tuner")

    assert asked(tmp_path / "home", capsys, "call", "message_inbox", *words)["agent"] == "tuner"
