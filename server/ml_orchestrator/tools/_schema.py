"""JSON schemas without noise: what is left tells the model something.

What goes is still checked by the server, whose errors name what is allowed. What stays is plain
JSON Schema: names, types, choices, bounds, defaults, which arguments are required, descriptions.
"""

import json
from collections.abc import Callable
from typing import Any

__all__ = [
    "UNREAD",
    "for_a_model",
    "has_alternatives",
    "in_place",
    "one_typed",
    "optional_by_absence",
    "terse",
    "untitled",
    "with_unread",
]

Schema = dict[str, Any]
UNREAD = "unread"
_REF = "#/$defs/"

_SIZES = frozenset(
    {"minLength", "maxLength", "pattern", "minItems", "maxItems", "minProperties", "maxProperties"}
)
_LARGEST_SEED = 2**31 - 1  # a limit of random generators; nobody draws near it
# Keys that say something of one type alone, so they may stand beside a list of types.
_OF_ONE_TYPE = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "items", "properties"}
    | {"required", "additionalProperties"}
)


def for_a_model(schema: Schema) -> Schema:
    """Return the schema of a tool's arguments as a model is to read it."""
    return one_typed(in_place(terse(optional_by_absence(untitled(schema)))))


def untitled(schema: Schema) -> Schema:
    """Return a copy without the titles that pydantic makes from names.

    >>> untitled({"title": "X", "type": "object", "properties": {"title": {"title": "T"}}})
    {'type': 'object', 'properties': {'title': {}}}
    """
    return _each({k: v for k, v in schema.items() if k != "title"}, untitled)


def optional_by_absence(schema: Schema) -> Schema:
    """Return a copy in which an argument is left out rather than null.

    The server still takes null; the model reads a shorter schema.

    >>> optional_by_absence({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None})
    {'type': 'string'}
    """
    kept = {k: v for k, v in schema.items() if not (k == "default" and v is None)}
    is_optional = "default" in schema and schema["default"] is None
    if is_optional and "anyOf" in kept:
        parts = [part for part in kept.pop("anyOf") if part != {"type": "null"}]
        kept.update(parts[0] if len(parts) == 1 else {"anyOf": parts})
    return _each(kept, optional_by_absence)


def terse(schema: Schema) -> Schema:
    """Return a copy without what tells a caller nothing new; the server checks it all the same.

    What the server fills in itself (``readOnly``) goes, as do defaults that are empty or false,
    lengths of texts and lists, patterns, the largest seed, that further fields are refused, the
    docstrings of records, and descriptions of alternatives below a described argument.

    >>> terse({"type": "array", "items": {"type": "string", "maxLength": 64}, "default": []})
    {'type': 'array', 'items': {'type': 'string'}}
    """
    kept = {k: v for k, v in schema.items() if not _says_nothing(k, v)}
    if "properties" in kept:
        asked = {k: v for k, v in kept["properties"].items() if not v.get("readOnly")}
        kept = {k: v for k, v in kept.items() if k != "description"} | {"properties": asked}
    if "const" in kept:  # which has a type of its own
        kept.pop("type", None)
    if "anyOf" in kept and "description" in kept:
        kept["anyOf"] = [_undescribed(part) for part in kept["anyOf"]]
    return _each(kept, terse)


def in_place(schema: Schema) -> Schema:
    """Return a copy in which a record stands where it is used, if that is one place.

    >>> used = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "object"}}}
    >>> in_place(used)
    {'properties': {'a': {'type': 'object'}}}
    """
    definitions = schema.get("$defs", {})
    text = json.dumps(schema)
    single = {k: v for k, v in definitions.items() if text.count(f'"{_REF}{k}"') == 1}
    kept = {k: v for k, v in definitions.items() if k not in single}
    rest = {k: v for k, v in schema.items() if k != "$defs"} | ({"$defs": kept} if kept else {})

    def place(part: Schema) -> Schema:
        name = str(part.get("$ref", "")).removeprefix(_REF)
        if name in single:
            part = {k: v for k, v in part.items() if k != "$ref"} | single[name]
        return _each(part, place)

    return place(rest) if single else schema


def one_typed(schema: Schema) -> Schema:
    """Return a copy in which alternatives that differ by type alone are one list of types.

    >>> one_typed({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]})
    {'minimum': 1, 'type': ['integer', 'null']}
    """
    parts = schema.get("anyOf", [])
    types = [part.get("type") for part in parts]
    details = [(k, v) for part in parts for k, v in part.items() if k != "type"]
    names = [name for name, _ in details]
    is_by_type = (
        len(parts) > 1
        and all(isinstance(each, str) for each in types)
        and len({"number" if each == "integer" else each for each in types}) == len(types)
        and _OF_ONE_TYPE.issuperset(names)
        and not {*names} & {*schema}
    )
    if is_by_type:
        rest = {k: v for k, v in schema.items() if k != "anyOf"}
        schema = {**rest, **dict(details), "type": types}
    return _each(schema, one_typed)


def has_alternatives(schema: Schema) -> bool:
    """Return whether a value may be of several types, each with faults of its own."""
    return "anyOf" in schema or isinstance(schema.get("type"), list)


def _says_nothing(key: str, value: Any) -> bool:
    if key == "default":
        return value is False or value in ([], {}, "")
    if key == "maximum":
        return bool(value == _LARGEST_SEED)
    if key == "propertyNames":  # what is left of it once lengths are gone
        return True
    return key in _SIZES or (key == "additionalProperties" and isinstance(value, bool))


def _undescribed(schema: Schema) -> Schema:
    return {k: v for k, v in schema.items() if k != "description"}


def with_unread(schema: Schema | None) -> Schema | None:
    """Return an output schema with a place for what waits for the acting agent."""
    if schema is None or "properties" not in schema:
        return schema
    place = {
        "type": "object",
        "description": "Messages that wait for you; urgent says how urgent ones begin.",
    }
    return {**schema, "properties": {**schema["properties"], UNREAD: place}}


def _each(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Apply ``change`` to the schemas inside a schema, wherever they stand."""
    changed: Schema = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            changed[key] = {name: change(part) for name, part in value.items()}
        elif key == "anyOf":
            changed[key] = [change(part) for part in value]
        else:
            changed[key] = change(value) if isinstance(value, dict) else value
    return changed
