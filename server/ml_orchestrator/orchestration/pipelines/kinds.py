"""What kind of value a reference gives, read from the JSON schemas of steps and parameters.

Two kinds fit unless it is certain that they do not: a schema says less than a run will.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from ml_orchestrator.orchestration.pipelines.references import Place

__all__ = [
    "ANYTHING",
    "Kind",
    "kind_of_model",
    "kind_of_plain",
    "list_of",
    "of_param",
    "shown",
]

_ALL = frozenset({"text", "integer", "number", "boolean", "list", "mapping", "null"})
_NAMES = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "array": "list",
    "object": "mapping",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """The types a value may have; of a list its entries, of a mapping its fields, if known."""

    names: frozenset[str] = _ALL
    entries: "Kind | None" = None
    fields: Mapping[str, "Kind"] = field(default_factory=dict)
    is_open: bool = True  # it may have other fields too

    def at(self, path: tuple[Place, ...]) -> "Kind | str":
        """Return the kind at ``path``, or in words why there is none."""
        if not path:
            return self
        place, rest = path[0], path[1:]
        if "list" in self.names and (isinstance(place, int) or "mapping" not in self.names):
            return self._among_entries(path)
        if isinstance(place, int) or "mapping" not in self.names:
            return f"{shown(self)} has no {place!r}"
        if place in self.fields:
            return self.fields[place].at(rest)
        if not self.is_open:
            return f"there is no {place!r}; known: {', '.join(self.fields) or 'nothing'}"
        return ANYTHING

    def _among_entries(self, path: tuple[Place, ...]) -> "Kind | str":
        """Return the kind of one entry, or of a list of a field of each."""
        inner = self.entries or ANYTHING
        if isinstance(path[0], int):
            return inner.at(path[1:])
        found = inner.at(path)
        return found if isinstance(found, str) else list_of(found)

    def misfit(self, wanted: "Kind") -> str | None:
        """Return why a value of this kind can never be one of the other; None if it may be."""
        if self.names == {"null"} and "null" not in wanted.names:
            return f"is {shown(self)}, and {shown(wanted)} is wanted"
        given = set(self.names) - {"null"}
        taken = set(wanted.names) | ({"integer"} if "number" in wanted.names else set())
        if given and not given & (taken | ({"number"} if "integer" in taken else set())):
            return f"is {shown(self)}, and {shown(wanted)} is wanted"
        if given == {"list"} and self.entries and wanted.entries:
            inner = self.entries.misfit(wanted.entries)
            return f"is a list whose entries do not fit: each {inner}" if inner else None
        return None

    def may_be_null(self) -> bool:
        """Whether null is one of its known values."""
        return "null" in self.names and self.names != _ALL


ANYTHING = Kind()


def list_of(entry: Kind) -> Kind:
    """Return the kind of a list of such entries."""
    return Kind(frozenset({"list"}), entries=entry)


def of_param(kind: str | None) -> Kind:
    """Return the kind of a parameter's type; of one that cannot be read, anything."""
    return ANYTHING if kind is None else Kind(frozenset({kind}))


def kind_of_plain(value: Any) -> Kind:
    """Return the kind of a text, number, truth value or null; anything else counts as text."""
    names = {str: "text", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return of_param(names.get(type(value), "text"))


@functools.cache
def kind_of_model(model: type[BaseModel]) -> Kind:
    """Return the kind of a record, with that of each field."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _read(schema, schema.get("$defs", {}), 0)


def shown(kind: Kind) -> str:
    """Return a kind in words."""
    if kind.names == _ALL:
        return "anything"
    return " or ".join(sorted(kind.names))


def _read(schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> Kind:
    if depth > 8:  # deep enough to check; records may hold themselves
        return ANYTHING
    if "$ref" in schema:
        return _read(known[schema["$ref"].rsplit("/", 1)[-1]], known, depth + 1)
    if variants := schema.get("anyOf") or schema.get("oneOf"):
        return _union([_read(each, known, depth + 1) for each in variants])
    if "const" in schema or "enum" in schema:
        return _union([kind_of_plain(v) for v in schema.get("enum", [schema.get("const")])])
    name = _NAMES.get(schema.get("type", ""))
    return ANYTHING if name is None else _named(name, schema, known, depth)


def _named(name: str, schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> Kind:
    names = frozenset({name})
    if name == "list":
        items = schema.get("items")
        return Kind(names, entries=_read(items, known, depth + 1) if items else None)
    if name != "mapping":
        return Kind(names)
    fields = {
        key: _read(each, known, depth + 1) for key, each in schema.get("properties", {}).items()
    }
    is_open = not fields or schema.get("additionalProperties", False) is not False
    return Kind(names, fields=fields, is_open=is_open)


def _union(kinds: list[Kind]) -> Kind:
    """Return what may be any of these; fields are known where one of them is a mapping."""
    mappings = [kind for kind in kinds if "mapping" in kind.names]
    lists = [kind for kind in kinds if "list" in kind.names]
    return Kind(
        frozenset().union(*(kind.names for kind in kinds)),
        entries=lists[0].entries if len(lists) == 1 else None,
        fields=mappings[0].fields if len(mappings) == 1 else {},
        is_open=len(mappings) != 1 or mappings[0].is_open,
    )
