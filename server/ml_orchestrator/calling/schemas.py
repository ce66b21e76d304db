"""What the JSON Schema of a tool's arguments says, in words and as kinds of values."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

__all__ = ["fields", "kind_of", "kinds", "limits", "records"]

Schema: TypeAlias = dict[str, Any]

_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_KINDS: Mapping[type, str] = MappingProxyType(
    {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        list: "array",
        dict: "object",
        type(None): "null",
    }
)


def kind_of(value: object) -> str:
    """Return what JSON Schema calls the kind of a value that was read from JSON.

    >>> kind_of(True), kind_of(1)
    ('boolean', 'integer')
    """
    return _KINDS[type(value)]


def kinds(schema: Schema, definitions: Mapping[str, Schema]) -> tuple[str, ...]:
    """Return the kinds of values that a schema takes, each once; none if it takes any.

    Args:
        schema: Of one argument.
        definitions: The records that it may refer to, by name.

    >>> kinds({"anyOf": [{"type": "integer"}, {"const": "previous"}]}, {})
    ('integer', 'string')
    """
    if "$ref" in schema:
        return kinds(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        parts = [kinds(part, definitions) for part in schema["anyOf"]]
        return tuple(dict.fromkeys(kind for part in parts for kind in part)) if all(parts) else ()
    if "type" in schema:
        found = schema["type"]
        return (found,) if isinstance(found, str) else tuple(found)
    chosen = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return tuple(dict.fromkeys(map(kind_of, chosen)))


def limits(schema: Schema) -> str:
    """Return the bounds and choices of an argument in words.

    >>> limits({"minimum": 1, "maximum": 1000})
    ' (at least 1; at most 1,000)'
    """
    said = [f"{word} {schema[key]:,}" for key, word in _LIMITS.items() if key in schema]
    if "enum" in schema:
        said.append("one of " + ", ".join(map(str, schema["enum"])))
    return f" ({'; '.join(said)})" if said else ""


def records(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield the records that arguments consist of, or of which they are lists, by their path."""
    for name, part in schema["properties"].items():
        record = part.get("items", part)
        if "properties" in record:
            yield f"{path}{name}", record
            yield from records(record, f"{path}{name}.")


def fields(definition: Schema) -> str:
    """Return the fields of a nested record, those that may be left out in brackets."""
    required = definition.get("required", [])
    names = [name if name in required else f"[{name}]" for name in definition["properties"]]
    return ", ".join(names)
