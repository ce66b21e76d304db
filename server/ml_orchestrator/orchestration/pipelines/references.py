"""References in a specification: ``${params.x}``, ``${steps.a.output.score}``, ``${item}``.

The syntax is a root and a path of fields and positions, and nothing else: no code is evaluated.
``$${`` stands for a plain ``${``.

    reference = "${" root "}"
    root      = "params." NAME path | "steps." NAME ".output" path | "item" path | "run.id"
    path      = { "." FIELD | "[" POSITION "]" }
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ml_orchestrator.errors import InvalidInputError

__all__ = ["Place", "Reference", "Scope", "references_in", "resolved"]

MAX_TEXT = 100_000
Place = str | int
_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_TOKEN = re.compile(r"\$\$\{|\$\{([^{}$]*)\}?")
_ROOT = re.compile(rf"(?:(params)\.({_NAME})|(steps)\.({_NAME})\.output|(item)|(run)\.id)")
_STEP = re.compile(rf"\.({_NAME})|\[(\d{{1,6}})\]")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a value comes from: ``name`` is a parameter's or a step's."""

    root: Literal["params", "steps", "item", "run"]
    name: str
    path: tuple[Place, ...]

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Return the reference that stands between ``${`` and ``}``.

        Raises:
            InvalidInputError: it is none; the message says what one looks like.
        """
        found = _ROOT.match(text)
        path: list[Place] = []
        at = found.end() if found else 0
        while found and at < len(text):
            step = _STEP.match(text, at)
            if step is None:
                found = None
                break
            path.append(step[1] if step[1] is not None else int(step[2]))
            at = step.end()
        if found is None or (found[6] and path):
            raise InvalidInputError(
                f"${{{text[:80]}}} is no reference; use ${{params.NAME}}, "
                "${steps.STEP.output.FIELD}, ${item} or ${run.id}"
            )
        if found[1]:
            return cls("params", found[2], tuple(path))
        if found[3]:
            return cls("steps", found[4], tuple(path))
        return cls("item" if found[5] else "run", "", tuple(path))

    def __str__(self) -> str:
        """Return it as it is written."""
        root = {
            "params": f"params.{self.name}",
            "steps": f"steps.{self.name}.output",
            "item": "item",
            "run": "run.id",
        }[self.root]
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path)
        return f"${{{root}{path}}}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What references stand for at one moment of a run.

    ``outputs`` has an entry for each step that is over: its output, or None if it was skipped.
    """

    params: Mapping[str, Any]
    outputs: Mapping[str, Any]
    run_id: str = ""
    item: Any = None

    def value(self, reference: Reference) -> Any:
        """Return what a reference stands for.

        Raises:
            InvalidInputError: there is nothing of that name.
        """
        match reference.root:
            case "run":
                return self.run_id
            case "item":
                found = self.item
            case "params":
                found = self.params[reference.name]
            case "steps":
                found = self.outputs[reference.name]
        return _value_at(found, reference.path, str(reference))


def _value_at(value: Any, path: tuple[Place, ...], name: str) -> Any:
    """Return what is at ``path`` inside ``value``; a field of a list is that field of each.

    A path into nothing (null) gives nothing.

    Raises:
        InvalidInputError: a field or a position is not there.
    """
    if not path or value is None:
        return value
    place, rest = path[0], path[1:]
    if isinstance(place, int):
        if not isinstance(value, list) or place >= len(value):
            size = f"{len(value)} entries" if isinstance(value, list) else _kind(value)
            raise InvalidInputError(f"{name}: there is no [{place}] in {size}.")
        return _value_at(value[place], rest, name)
    if isinstance(value, list):
        return [_value_at(each, path, name) for each in value]
    if not isinstance(value, Mapping) or place not in value:
        known = ", ".join(list(value)[:20]) if isinstance(value, Mapping) else _kind(value)
        raise InvalidInputError(f"{name}: there is no {place!r}; found {known or 'nothing'}.")
    return _value_at(value[place], rest, name)


def references_in(value: Any) -> Iterator[Reference]:
    """Yield the references inside text, lists and mappings.

    Raises:
        InvalidInputError: something looks like a reference and is none.
    """
    if isinstance(value, str):
        for token in _TOKEN.finditer(value):
            if token[0] != "$${":
                yield _reference(token)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)


def resolved(value: Any, scope: Scope) -> Any:
    """Return ``value`` with references replaced.

    Text that is one reference becomes the value itself; inside longer text only text, numbers
    and truth values can stand.

    Raises:
        InvalidInputError: something referred to is not there, or cannot stand inside text.
    """
    if isinstance(value, Mapping):
        return {key: resolved(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, scope) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _TOKEN.fullmatch(value)
    if whole and whole[0] != "$${":
        return scope.value(_reference(whole))
    text = _TOKEN.sub(lambda token: _text(token, scope), value)
    if len(text) > MAX_TEXT:
        raise InvalidInputError(f"A text became longer than {MAX_TEXT:,} characters.")
    return text


def _reference(token: re.Match[str]) -> Reference:
    if not token[0].endswith("}"):
        raise InvalidInputError(f"{token[0][:80]!r} is not closed by '}}'; write $${{ for text")
    return Reference.parse(token[1])


def _text(token: re.Match[str], scope: Scope) -> str:
    if token[0] == "$${":
        return "${"
    reference = _reference(token)
    value = scope.value(reference)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidInputError(f"{reference} is {_kind(value)} and cannot stand inside a text.")


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a truth value"}
    return "nothing" if value is None else names.get(type(value), "a number")
