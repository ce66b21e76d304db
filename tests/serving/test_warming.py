"""What a freshly loaded model is asked first, and what is said if it fails at that."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from tests.serving.models import Copy, Description

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.serving.isolated import in_own_process
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.opening import in_process, warmed
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.slot import Opened
from ml_orchestrator.serving.threaded import ThreadEngine
from ml_orchestrator.serving.warming import EXAMPLE, MAX_EXAMPLE_BYTES, warm_up_requests
from ml_orchestrator.settings import Settings

COLUMNS = (Column("n", "double", is_required=False), Column("when", "string", is_required=False))
ROWS = '{"dataframe_split": {"columns": ["n", "when"], "data": [[%s, "2024-01-01"]]}}'
MADE_UP = {"dataframe_records": [{"n": 0, "when": None}]}


def asked(folder: Path, columns: tuple[Column, ...] = COLUMNS) -> list[Any]:
    return [json.loads(request.body) for request in warm_up_requests(folder, columns)]


@pytest.mark.parametrize("missing", ["null", "NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_stands_for_a_missing_value(tmp_path: Path, missing: str) -> None:
    (tmp_path / EXAMPLE).write_text(ROWS % missing)
    assert asked(tmp_path) == [json.loads(ROWS % "null"), MADE_UP]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"\xff\xfe\0", b'{"a":' * 100_000, b"9" * 5_000,
     b" " * MAX_EXAMPLE_BYTES + b"{}"],
    ids=["none", "empty", "cut", "no-text", "deep", "long-number", "large"],
)  # fmt: skip
def test_without_an_example_that_can_be_read_a_row_is_made_up(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / EXAMPLE).write_bytes(content)
    assert asked(tmp_path) == [MADE_UP]


def test_text_that_may_be_a_date_is_left_out_of_the_made_up_row(tmp_path: Path) -> None:
    columns = (
        Column("maybe", "string", is_required=False), Column("text", "string", is_required=True),
        Column("at", "datetime", is_required=True), Column("is_new", "boolean", is_required=False),
        Column("n", "long", is_required=True),
    )  # fmt: skip
    row = {"maybe": None, "text": "", "at": "2000-01-01T00:00:00", "is_new": False, "n": 0}
    assert asked(tmp_path, columns) == [{"dataframe_records": [row]}]


class Picky:
    """Answers nothing at all, and says why."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def predict(self, _: pd.DataFrame) -> Any:
        raise self._error


def opened(folder: Path, error: Exception) -> Opened:
    requests = warm_up_requests(folder, COLUMNS)
    engine = ThreadEngine(LoadedModel(Picky(error), COLUMNS), name="picky", examples=requests)
    try:
        return warmed(engine, requests, version=3, load_s=0.0)
    finally:
        engine.close()


def test_a_failure_says_at_which_rows_and_why_and_what_to_do(tmp_path: Path) -> None:
    unknown = ValueError("Found unknown categories ['c'] in column 'when'")
    remedy = "Log the model again with an input example that it answers"
    with pytest.raises(UnavailableError) as made_up:
        opened(tmp_path, unknown)
    (tmp_path / EXAMPLE).write_text(ROWS % '"one"')  # its own signature refuses that
    with pytest.raises(UnavailableError) as refused:
        opened(tmp_path, unknown)
    (tmp_path / EXAMPLE).write_text(ROWS % "1.0")
    with pytest.raises(UnavailableError) as own:
        opened(tmp_path, unknown)

    assert str(made_up.value).startswith(
        f"Version 3 loads but fails at a made-up row: ValueError: {unknown} {remedy}"
    )
    assert "column 'n': 'one' is not a finite number" in str(refused.value)
    assert str(own.value).startswith(
        f"Version 3 loads but fails at its example: ValueError: {unknown} {remedy}"
    )


def test_rows_that_a_step_of_the_model_refuses_prove_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path, InvalidInputError("Column 'when': '' is not a date")).example == b""


@pytest.mark.parametrize(
    ("columns", "outputs", "reason"),
    [
        ("ab", None, "ValueError: "),
        ("a", '[{"type": "string"}]', ".*answered with number, and its signature declares text"),
    ],
    ids=["columns", "answers"],
)
def test_a_model_that_is_not_as_its_signature_says_is_told_alike_in_either_process(
    tmp_path: Path, columns: str, outputs: str | None, reason: str
) -> None:
    inputs = json.dumps([{"type": "double", "name": name, "required": True} for name in columns])
    narrow = LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0]}), [0.0, 1.0])
    skops.io.dump(narrow, tmp_path / "model.skops")

    @contextmanager
    def checkout(_: int) -> Iterator[Copy]:
        yield Copy(
            tmp_path, Description("model.skops", inputs, signature_outputs=outputs), "digest"
        )

    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    said = []
    for open_version in (in_process(checkout), in_own_process(checkout, settings)):
        with pytest.raises(UnavailableError, match=f"fails at a made-up row: {reason}") as failed:
            open_version(1)
        said.append(str(failed.value))
    assert said[0] == said[1]
