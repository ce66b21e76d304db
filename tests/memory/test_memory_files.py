"""Files that are no memory, exports of other versions, and standard input and output."""

import io
import json
import sys
from pathlib import Path

import pytest
from tests.memory.test_memory_transfer import run

from ml_orchestrator.agent_memory import AgentMemoryManager
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory._files import FORMAT

ME = "ml-orchestrator"
TAKEN = (
    "Taken are a file that `memory export` wrote, an agent's file of the origin (with agent_name) "
    "and a shared_context.json (with project_context or inter_agent_messages)."
)
EXPORT = {"format": FORMAT, "version": 1, "records": []}


def piped_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def refusal_of(content: bytes, folder: Path) -> str:
    file = folder / "odd.json"
    file.write_bytes(content)
    with (
        AgentMemoryManager(folder / "home") as manager,
        pytest.raises(InvalidInputError) as refused,
    ):
        manager.import_memory(file)
    return str(refused.value)


@pytest.mark.parametrize("content", [b'{"a": 1}', b"[1, 2]", b"7", b"null", b'{"agent_name": 5}'])
def test_json_that_is_no_memory_is_refused_with_what_is_taken(
    tmp_path: Path, content: bytes
) -> None:
    assert refusal_of(content, tmp_path) == (
        f"odd.json: It is JSON, but no file of memory. {TAKEN} Nothing was imported."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"agent_name": "x",\n "a', "It is not JSON (line 2, column 2: Unterminated string"),
        (b"", "It is not JSON (line 1, column 1: Expecting value)."),
        (b"\xff\xfe\x00", "It is not UTF-8 text."),
        (b"9" * 10_000, "It holds a number of too many digits."),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(
    tmp_path: Path, content: bytes, said: str
) -> None:
    refusal = refusal_of(content, tmp_path)

    assert refusal.startswith(f"odd.json: {said}")
    assert refusal.endswith(f"{TAKEN} Nothing was imported.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"version": 99},
            "It is an export of version 99; this release reads version 1. Update ml-orchestrator, "
            "or export with this release.",
        ),
        (
            {"version": None},
            'It is an export that does not say its version, as each does ("version": 1). Export '
            "it again.",
        ),
        ({"records": {}}, "It is an export without a list of records. Export it again."),
    ],
)
def test_an_export_that_this_release_cannot_read_is_refused(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    content = json.dumps({**EXPORT, **changed}).encode()

    assert refusal_of(content, tmp_path) == f"odd.json: {said} Nothing was imported."


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    file.write_text(json.dumps(EXPORT), encoding="utf-8-sig")

    with AgentMemoryManager(tmp_path / "home") as manager:
        assert manager.import_memory(file)["skipped"] == []


def test_the_command_fails_for_a_file_that_is_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "odd.json"
    file.write_text("[]", encoding="utf-8")

    code = run(tmp_path / "project", "import", str(file), monkeypatch=monkeypatch)

    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert "odd.json: It is JSON, but no file of memory." in said.err


def test_a_dash_stands_for_standard_output_and_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    with AgentMemoryManager(tmp_path / "one" / ".ml-orchestrator") as manager:
        manager.add_task_to_history(ME, {"task_description": "é🙂", "outcome": "partial"})

    assert run(tmp_path / "one", "export", "-", monkeypatch=monkeypatch) == 0
    exported = capsysbinary.readouterr().out
    piped_in(monkeypatch, exported)
    assert run(tmp_path / "two", "import", "-", monkeypatch=monkeypatch) == 0

    assert capsysbinary.readouterr().out == b"1 records added, 0 known already\n"
    (record,) = json.loads(exported)["records"]
    assert record["payload"]["task_description"] == "é🙂"
    assert not (tmp_path / "-").exists()


def test_a_file_that_is_called_a_dash_is_meant_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(tmp_path / "project", "export", "./-", monkeypatch=monkeypatch) == 0

    assert json.loads((tmp_path / "-").read_text(encoding="utf-8"))["format"] == FORMAT


def test_what_is_wrong_with_standard_input_is_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piped_in(monkeypatch, b"no JSON")

    assert run(tmp_path / "project", "import", "-", monkeypatch=monkeypatch) == 1

    assert "standard input: It is not JSON (line 1, column 1" in capsys.readouterr().err
