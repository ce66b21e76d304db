"""What is left out of a tool's schema is not missed: by clients that check it, or by a caller."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator  # type: ignore[import-untyped]
from tests.plugin.skill_files import read_calls, read_skills

from ml_orchestrator.tools import TOOLS
from ml_orchestrator.tools._schema import for_a_model

BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const")
LARGEST_SEED = 2**31 - 1
SKILLS = Path(__file__).resolve().parents[2] / "skills"
BUILT = {name: entry.build() for name, entry in TOOLS.items()}
Bound = tuple[str, str, str]


def bounds(schema: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[Bound]:
    """Yield the limits and choices of every argument, also within records and alternatives."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    yield from ((path, key, str(schema[key])) for key in BOUNDS if key in schema)
    for part in schema.get("anyOf", []):
        yield from bounds(part, root, path)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from bounds(schema[key], root, path)
    for name, part in schema.get("properties", {}).items():
        if not part.get("readOnly"):
            yield from bounds(part, root, f"{path}.{name}")


@pytest.mark.parametrize("name", list(TOOLS))
def test_a_schema_is_json_schema_of_the_old_and_the_new_draft(name: str) -> None:
    for draft in (Draft7Validator, Draft202012Validator):
        draft.check_schema(BUILT[name].parameters)
    assert BUILT[name].parameters["type"] == "object"


@pytest.mark.parametrize("name", list(TOOLS))
def test_no_argument_bound_or_choice_is_lost_but_the_largest_seed(name: str) -> None:
    shown = BUILT[name].parameters
    whole = BUILT[name].fn_metadata.arg_model.model_json_schema(by_alias=True)

    assert shown["properties"].keys() == whole["properties"].keys()
    assert shown.get("required") == whole.get("required")
    assert set(bounds(shown, shown)) == {
        bound for bound in bounds(whole, whole) if bound[1:] != ("maximum", str(LARGEST_SEED))
    }


def test_every_call_that_the_skills_show_is_valid_by_the_listed_schemas() -> None:
    calls = [
        call
        for skill in read_skills(SKILLS).values()
        for block in skill.blocks
        if block.kind == "tool"
        for call in read_calls(block.code)
    ]
    assert calls
    for call in calls:
        Draft202012Validator(BUILT[call.tool].parameters).validate(dict(call.arguments))


def test_a_record_used_twice_stays_in_one_place_and_its_alternatives_are_merged() -> None:
    number = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
    record = {"type": "object", "properties": {"n": number}}
    twice = {"a": {"$ref": "#/$defs/R"}, "b": {"type": "array", "items": {"$ref": "#/$defs/R"}}}

    schema = for_a_model({"type": "object", "properties": twice, "$defs": {"R": record}})

    assert schema["properties"] == twice
    assert schema["$defs"]["R"]["properties"]["n"] == {"type": ["integer", "null"], "minimum": 1}


def test_alternatives_whose_details_would_mix_stay_apart() -> None:
    two = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "number", "maximum": 0}]}
    named = {"anyOf": [{"type": "integer"}, {"enum": ["a"], "type": "string"}]}

    for schema in (two, named):
        assert for_a_model({"properties": {"x": schema}}) == {"properties": {"x": schema}}
