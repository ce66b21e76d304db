"""Arguments of a tool from what a person types: ``name=value``, and one JSON object."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ml_orchestrator.calling.schemas import Schema, kind_of, kinds
from ml_orchestrator.errors import InvalidInputError

__all__ = ["AGENT", "read_arguments"]

AGENT = "ml-orchestrator"
"""Who acts where nobody is named."""

_HOW = {
    "array": 'a list in JSON, such as \'["a", "b"]\'',
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a record in JSON, such as '{\"a\": 1}'",
}
_JSON = "a JSON object, @FILE with one, or - for standard input"


def read_arguments(schema: Schema, typed: Sequence[str], whole: str | None) -> dict[str, Any]:
    """Return the arguments of a call; whether they fit is for the tool to say.

    A value is read by what the schema takes: text as it stands where only text is taken, JSON
    where it is of a kind that is taken, and else text where that is taken too. A name that the
    schema does not know goes on as text, so that the tool can say what it knows.

    Args:
        schema: Of the tool's arguments.
        typed: ``name=value`` each.
        whole: A JSON object with further arguments, ``@FILE`` that holds one, or ``-`` for
            standard input; None: no more.

    Raises:
        InvalidInputError: something is not of these forms, or an argument is given twice.

    >>> wanted = {"properties": {"n": {"type": "integer"}, "name": {"type": "string"}}}
    >>> read_arguments(wanted, ["n=5", "name=5"], None)
    {'n': 5, 'name': '5'}
    """
    given = {} if whole is None else _object(whole)
    for text in typed:
        name, is_there, value = text.partition("=")
        if not (name and is_there):
            known = ", ".join(schema["properties"])
            raise InvalidInputError(
                f"{text[:80]!r} is not name=value. Write its argument's name before it; arguments "
                f"are: {known}."
            )
        if name in given:
            raise InvalidInputError(f"Argument {name!r} is given twice.")
        part = schema["properties"].get(name, {"type": "string"})
        given[name] = _value(name, value, kinds(part, schema.get("$defs", {})))
    return given


def _value(name: str, text: str, taken: Sequence[str]) -> Any:
    if tuple(taken) == ("string",):
        return text
    try:
        value = _read(text)
    except (ValueError, RecursionError) as error:
        if not taken or "string" in taken:
            return text
        how = " or ".join(_HOW[kind] for kind in taken)
        raise InvalidInputError(
            f"Argument {name!r} takes {how}; found {text[:80]!r} (not JSON: {_why(error)})."
        ) from error
    if not taken or "string" not in taken or kind_of(value) in taken:
        return value
    return text


def _object(whole: str) -> dict[str, Any]:
    text = _text(whole)
    try:
        found = _read(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"--json takes {_JSON}; this is no JSON: {_why(error)}.") from error
    if not isinstance(found, Mapping):
        raise InvalidInputError(f"--json takes {_JSON}; found {text[:80]!r}.")
    return dict(found)


def _text(whole: str) -> str:
    if whole != "-" and not whole.startswith("@"):
        return whole
    path = None if whole == "-" else Path(whole[1:])
    place = path or "Standard input"
    try:
        return (sys.stdin.buffer.read() if path is None else path.read_bytes()).decode()
    except OSError as error:
        raise InvalidInputError(f"{place} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{place} is no text in UTF-8.") from error


def _read(text: str) -> Any:
    """Return what JSON says; numbers that it cannot say, such as NaN, are refused."""
    return json.loads(text, parse_constant=_refuse, parse_float=_number)


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise json.JSONDecodeError(f"{text[:80]} is not a finite number", text, 0)


def _why(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply or too long"
