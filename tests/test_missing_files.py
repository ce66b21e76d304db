"""A file that a command names and that is not there is told before anything heavy is loaded."""

from pathlib import Path

import pytest
from tests.loaded import HEAVY, loaded_after

from ml_orchestrator.cli import main


@pytest.mark.parametrize(
    "words",
    [
        ["train", "none.csv", "y"],
        ["call", "drift_check", "--json", "@none.json"],
        ["deploy", "predict", "m", "none.json"],
        ["deploy", "outcomes", "m", "none.jsonl"],
        ["deploy", "start", "m", "1", "--spec", "@none.json", "--reason", "better"],
        ["workflow", "run", "none.yaml"],
        ["workflow", "export", "none.yaml"],
    ],
    ids=" ".join,
)
def test_a_file_that_is_not_there_is_told_before_anything_heavy_is_loaded(
    tmp_path: Path,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["--home", str(tmp_path / "home"), *words]
    code = (
        "from contextlib import suppress\n"
        "from ml_orchestrator.cli import main\n"
        f"with suppress(SystemExit): main({line!r})\n"
    )

    loaded = loaded_after(code, [*HEAVY, "mcp", "ml_orchestrator.app"])
    with pytest.raises(SystemExit) as ended:
        main(line)

    by_schedules = {"sqlalchemy", "filelock"}  # of the package that reads pipelines
    assert {name.partition(".")[0] for name in loaded} <= by_schedules
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("ml-orchestrator: No file 'none")
    assert not (tmp_path / "home").exists()


def test_standard_input_and_built_in_data_are_no_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = [["train", "builtin:none", "y"], ["deploy", "predict", "m", "-"]]
    for words in refused:
        with pytest.raises(SystemExit):
            main(["--home", str(tmp_path / "home"), *words])
        assert "No file" not in capsys.readouterr().err
