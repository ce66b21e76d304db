"""JSON schemas without noise: what is left tells the model something."""

from collections.abc import Callable
from typing import Any

__all__ = ["UNREAD", "optional_by_absence", "terse", "untitled", "with_unread"]

Schema = dict[str, Any]
UNREAD = "unread"

_SIZES = frozenset(
    {"minLength", "maxLength", "pattern", "minItems", "maxItems", "minProperties", "maxProperties"}
)


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
    lengths of texts and lists, patterns, that further fields are refused, the docstrings of
    records, and descriptions of alternatives below a described argument.

    >>> terse({"type": "array", "items": {"type": "string", "maxLength": 64}, "default": []})
    {'type': 'array', 'items': {'type': 'string'}}
    """
    kept = {k: v for k, v in schema.items() if not _says_nothing(k, v)}
    if "properties" in kept:
        asked = {k: v for k, v in kept["properties"].items() if not v.get("readOnly")}
        kept = {k: v for k, v in kept.items() if k != "description"} | {"properties": asked}
    if "anyOf" in kept and "description" in kept:
        kept["anyOf"] = [_undescribed(part) for part in kept["anyOf"]]
    return _each(kept, terse)


def _says_nothing(key: str, value: Any) -> bool:
    if key == "default":
        return value is False or value in ([], {})
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
