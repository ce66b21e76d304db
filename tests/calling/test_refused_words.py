"""What a person is told who mistypes an option, a command, a tool or a column."""

from pathlib import Path

import pytest

from ml_orchestrator.calling.commands import _options_in
from ml_orchestrator.cli import main


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Return the exit code and the last line of what was said."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capsys.readouterr()
    assert told.out == ""
    return int(ended.value.code or 0), told.err.splitlines()[-1]


@pytest.mark.parametrize("words", [["--trials", "5"], ["--trials=5"], ["d.csv", "y", "--trials"]])
def test_an_option_that_is_an_argument_of_the_tool_is_told_so(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, said = refused(capsys, "train", *words)

    assert code == 2
    assert said == (
        "ml-orchestrator train: error: no option --trials (did you mean n_trials=...?). Options: "
        "--agent, --help, --ignore, --json-output, --model, --watch. Arguments of training_start "
        "are typed as name=value; `ml-orchestrator call training_start --help` names them."
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "d.csv", "y", "--ingore", "x"], "no option --ingore (did you mean --ignore?)."),
        (
            ["call", "drift_check", "--colums", "x"],
            "no option --colums (did you mean columns=...?).",
        ),
        (["call", "drift_chek", "--zzz"], "no option --zzz. Options: --agent, "),
        (["runs", "show", "r", "--wacth"], "no option --wacth (did you mean --watch?)."),
        (["train", "d.csv", "y", "--home", "x"], "ml-orchestrator --home ... train."),
        (
            ["trian"],
            "no command 'trian' (did you mean 'train'?); known: mcp, worker, serve, call, ",
        ),
        (["registry", "mov"], "no command 'mov' (did you mean 'move'?); known: list, show, move."),
    ],
)
def test_a_word_that_is_not_known_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, told = refused(capsys, *words)

    assert (code, said in told) == (2, True), told
    assert "step" not in told  # which is not for people


def test_a_value_that_begins_like_an_option_is_a_value() -> None:
    words = ["-5", "-.5", "a -b", "-", "n=1", "--watch", "-x", "--", "--after"]

    assert list(_options_in(words)) == ["--watch", "-x"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--now"], "--now is of stop and restart: it cuts the steps under way off. `worker run` "),
        (["status", "--now"], "`worker status` ends none; type: ml-orchestrator worker stop --now"),
        (
            ["restart", "--beside"],
            "restart begins as many as it ends; type: ml-orchestrator worker ",
        ),
        (["stop", "--now", "--beside"], "--beside is of run: it begins one more worker."),
    ],
)
def test_an_option_of_another_act_of_workers_is_refused_and_no_worker_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, told = refused(capsys, "--home", str(tmp_path / "home"), "worker", *words)

    assert (code, said in told) == (1, True), told
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["call", "drift_chek"],
            "No tool named 'drift_chek' (did you mean 'drift_check'?); known: baseline_save, ",
        ),
        (
            ["train", "builtin:iris", "species", "--ignore", "species"],
            "Column 'species' is TARGET, what is predicted, so it cannot be ignored. Leave out "
            "--ignore species, or predict another column.",
        ),
        (
            ["train", "builtin:iris", "species", "--ignore", "petal_lenght"],
            "No column 'petal_lenght' to ignore (did you mean 'petal_length'?). Columns: sepal_",
        ),
        (
            ["train", "builtin:iris", "species", "--ignore", "typo"],
            "No column 'typo' to ignore. Columns: sepal_length, sepal_width, petal_length, ",
        ),
    ],
)
def test_a_tool_or_a_column_that_is_not_there_is_told_with_what_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    words: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ML_ORCHESTRATOR_LOG_LEVEL", "ERROR")
    monkeypatch.delenv("CLAUDECODE", raising=False)  # who tests may be an agent
    code, told = refused(capsys, "--home", str(tmp_path / "home"), *words)

    assert (code, said in told) == (1, True), told
    assert not list((tmp_path / "home").glob("runs/*"))
