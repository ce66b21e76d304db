"""What a person types becomes the arguments of a tool."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from ml_orchestrator.calling.values import read_arguments
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.tools import TOOLS

SCHEMA: dict[str, Any] = {
    "properties": {
        "name": {"type": "string"},
        "n": {"type": "integer"},
        "share": {"type": "number"},
        "is_deep": {"type": "boolean"},
        "trainers": {"type": "array", "items": {"type": "string"}},
        "spec": {"$ref": "#/$defs/Spec"},
        "version": {"type": ["integer", "string"]},
        "target": {"anyOf": [{"type": "integer"}, {"const": "previous"}, {"type": "null"}]},
        "anything": {},
    },
    "$defs": {"Spec": {"type": "object"}},
}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("name=5", "5"),
        ("name=null", "null"),
        ("name=a=b", "a=b"),
        ("name=", ""),
        ("n=5", 5),
        ("n=5.5", 5.5),  # for the tool to refuse, in its words
        ("share=1e-3", 0.001),
        ("is_deep=true", True),
        ('trainers=["linear", "forest"]', ["linear", "forest"]),
        ('spec={"bake_s": 5}', {"bake_s": 5}),
        ("version=3", 3),
        ("version=champion", "champion"),
        ("version=1.5", "1.5"),
        ("target=previous", "previous"),
        ("target=null", None),
        ("anything=[1]", [1]),
        ("anything=a word", "a word"),
        ("version=NaN", "NaN"),
        ("unknown=7", "7"),  # for the tool to say what it knows
    ],
)
def test_a_value_is_read_by_what_the_schema_takes(typed: str, value: object) -> None:
    read = read_arguments(SCHEMA, [typed], None)

    assert read == {typed.partition("=")[0]: value}
    assert type(next(iter(read.values()))) is type(value)


@pytest.mark.parametrize(
    ("typed", "whole", "said"),
    [
        (["n=five"], None, "Argument 'n' takes a whole number; found 'five' (not JSON: "),
        (["is_deep=yes"], None, "Argument 'is_deep' takes true or false; found 'yes'"),
        (["trainers=linear"], None, "Argument 'trainers' takes a list in JSON, such as"),
        (["n=" + "9" * 5_000], None, "nested too deeply or too long"),
        (["spec=" + "[" * 100_000], None, "nested too deeply or too long"),
        (["share=NaN"], None, "takes a number; found 'NaN' (not JSON: NaN is not a finite number)"),
        (["share=-Infinity"], None, "takes a number; found '-Infinity' (not JSON: "),
        (["share=1e400"], None, "1e400 is not a finite number"),
        ([], '{"share": [NaN]}', "this is no JSON: NaN is not a finite number."),
        (["linear"], None, "'linear' is not name=value. Write its argument's name before it"),
        (["=3"], None, "'=3' is not name=value."),
        (["n=1", "n=2"], None, "Argument 'n' is given twice."),
        (["n=1"], '{"n": 2}', "Argument 'n' is given twice."),
        ([], "[1]", "--json takes a JSON object, @FILE with one, or - for standard input; found"),
        ([], "{", "this is no JSON: Expecting property name"),
        ([], "@nowhere.json", "nowhere.json cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_read_is_said_with_what_would_work(
    typed: list[str], whole: str | None, said: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_arguments(SCHEMA, typed, whole)

    assert said in str(refused.value)


def test_an_object_comes_from_the_line_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{"n": 5, "name": "ä"}'
    file = tmp_path / "arguments.json"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    read = [read_arguments(SCHEMA, ["share=1"], whole) for whole in (text, f"@{file}", "-")]

    assert read == [{"n": 5, "name": "ä", "share": 1}] * 3


def test_what_is_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "arguments.json"
    file.write_bytes(b'{"name": "\xff"}')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))

    with pytest.raises(InvalidInputError, match=r"arguments.json is no text in UTF-8\."):
        read_arguments(SCHEMA, [], f"@{file}")
    with pytest.raises(InvalidInputError, match=r"Standard input is no text in UTF-8\."):
        read_arguments(SCHEMA, [], "-")


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_arguments_of_every_tool_can_be_typed(tool: str) -> None:
    schema = TOOLS[tool].build().parameters
    samples = {"array": "[]", "object": "{}", "integer": "1", "number": "1", "boolean": "true"}
    for name, part in schema["properties"].items():
        sample = samples.get(str(part.get("type")), "null")
        assert list(read_arguments(schema, [f"{name}={sample}"], None)) == [name]
