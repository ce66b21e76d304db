"""Specifications as text or objects, read without trusting them.

YAML is read by a loader that builds plain values only: no tags, no anchors (an alias of aliases
grows without end), no key twice, and no dates made of text. Size and depth are limited before
anything is built.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.error import Mark

from ml_orchestrator.errors import (
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    PathNotAllowedError,
)
from ml_orchestrator.settings import Settings

__all__ = ["MAX_BYTES", "MAX_DEPTH", "read_spec"]

MAX_BYTES = 256_000
MAX_DEPTH = 20
MAX_VALUES = 20_000
MAX_NAME = 1_000
SUFFIXES = (".yaml", ".yml", ".json")


def read_spec(given: str | Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return a specification as plain values.

    Args:
        given: an object; YAML or JSON text; or, in one line that ends in .yaml, .yml or .json,
            the path of a file inside the declared roots.
        settings: which roots there are.

    Raises:
        InvalidInputError: too large, too deep, no YAML, or not a mapping at the top.
        NotFoundError: no such file.
        PathNotAllowedError: the file lies outside the roots.
    """
    found: Any = given
    if isinstance(given, str):
        text = _file(given.strip(), settings) if _is_path(given) else given
        found = _parsed(text)
    if not isinstance(found, Mapping):
        raise _no_mapping(given, found, settings)
    _check_values(found)
    plain: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return plain


def _no_mapping(given: object, found: object, settings: Settings) -> InvalidInputError:
    """Say what was given in place of a pipeline."""
    about = "A pipeline is a mapping with name and steps."
    name = given.strip() if isinstance(given, str) else ""
    if isinstance(found, str) and (fault := _misnamed(name, settings.roots)):
        return InvalidInputError(f"{name[:80]!r} {fault}. {about}")
    said = "holds one value only"
    if found is None:
        said = "is empty"
    elif isinstance(found, str):
        said = "holds text only"
    elif isinstance(found, Sequence):
        said = "holds a list"
    which = repr(name[:80]) if _is_path(name) else "The specification"
    return InvalidInputError(f"{which} {said}. {about}")


def _misnamed(name: str, roots: Sequence[Path]) -> str:
    """Return why a name, in one line, is not read as that of a file; empty if it names nothing."""
    if "\n" in name or len(name) > MAX_NAME or _is_path(name):
        return ""
    try:
        path = (roots[0] / name).resolve()
        if not any(path.is_relative_to(root) for root in roots) or not path.exists():
            return ""
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):  # no name of a file
        return ""
    return f"does not end in {', '.join(SUFFIXES)}" if is_file else "is not a regular file"


def _is_path(text: str) -> bool:
    stripped = text.strip()
    return "\n" not in stripped and stripped.lower().endswith(SUFFIXES)


def _file(name: str, settings: Settings) -> str:
    try:
        return _text_of(name, settings.roots)
    except OrchestratorError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop, before 3.13
        raise InvalidInputError(
            f"{name[:80]!r} cannot be read as UTF-8 text: {str(error)[:200]}."
        ) from error


def _text_of(name: str, roots: Sequence[Path]) -> str:
    path = (roots[0] / name).resolve()
    if not any(path.is_relative_to(root) for root in roots):
        listed = ", ".join(map(str, roots))
        raise PathNotAllowedError(
            f"{name!r} is outside the allowed roots: {listed}. Move the file there, or ask the "
            "operator to add its folder to ML_ORCHESTRATOR_DATA_ROOTS."
        )
    if path.exists() and not path.is_file():
        raise InvalidInputError(f"{name!r} is not a regular file.")
    if not path.is_file():
        raise NotFoundError(f"No file {name!r}; looked at {path}.{_neighbours(path)}")
    if path.stat().st_size > MAX_BYTES:
        raise InvalidInputError(f"{name!r} has more than {MAX_BYTES:,} bytes; make it smaller.")
    return path.read_text(encoding="utf-8")


def _neighbours(path: Path) -> str:
    folder = path.parent
    names = (
        sorted(p.name for p in folder.iterdir() if p.suffix in SUFFIXES)[:10]
        if (folder.is_dir())
        else []
    )
    return f" In that folder: {', '.join(names)}." if names else ""


def _parsed(text: str) -> Any:
    if len(text.encode("utf-8", errors="replace")) > MAX_BYTES:
        raise InvalidInputError(f"The specification has more than {MAX_BYTES:,} bytes.")
    try:
        _check_events(text)
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 a SafeLoader, with less
    except yaml.YAMLError as error:
        raise InvalidInputError(
            f"The specification is no YAML: {_said(error)}.{_hint(error, text)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"The specification cannot be read: {error}.") from error


def _check_events(text: str) -> None:
    """Refuse what would be large or odd once built, while it is still a stream of events."""
    depth = n_values = n_documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        n_documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        n_values += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused(event, "anchors and aliases are not taken; write it out, or use params")
        if getattr(event, "tag", None) and not _is_plain_tag(event):
            tag = getattr(event, "tag", None)
            raise _refused(event, f"the tag {tag!r} is not taken; plain values only")
        if depth > MAX_DEPTH:
            raise _refused(event, f"it nests more than {MAX_DEPTH} levels")
        if n_values > MAX_VALUES:
            raise _refused(event, f"it has more than {MAX_VALUES:,} values")
        if n_documents > 1:
            raise _refused(event, "it has a second document; give one pipeline")


def _is_plain_tag(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.tag == "!"  # a quoted scalar


def _refused(event: yaml.Event, why: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=cast("Mark | None", event.start_mark))


class _PlainLoader(yaml.SafeLoader):
    """A safe loader without dates and merge keys, and with every key once."""

    yaml_implicit_resolvers = {  # noqa: RUF012 as the base class has it
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; a key that is no text or comes twice is refused by its line."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                shown = getattr(key_node, "value", key)
                raise yaml.MarkedYAMLError(
                    problem=f"the key {shown!r} is read as {type(key).__name__}; write it in "
                    "quotes",
                    problem_mark=key_node.start_mark,
                )
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} comes twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _said(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
    return f"{problem}{where}"


def _hint(error: yaml.YAMLError, text: str) -> str:
    mark, lines = getattr(error, "problem_mark", None), text.splitlines()
    if mark is None or mark.line >= len(lines) or "${" not in lines[mark.line]:
        return ""
    return ' Between braces a reference stands in quotes: {source: "${...}"}.'


def _check_values(value: Any) -> None:
    """Refuse what JSON cannot hold, level by level; an object may come from anywhere."""
    level, depth, n_values = [value], 0, 0
    while level:
        depth, n_values = depth + 1, n_values + len(level)
        if depth > MAX_DEPTH + 1 or n_values > MAX_VALUES:
            raise InvalidInputError(
                f"The specification nests more than {MAX_DEPTH} levels or has more than "
                f"{MAX_VALUES:,} values."
            )
        level = [inner for outer in level for inner in _inside(outer)]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise InvalidInputError(f"Keys are text; found {odd[0]!r}.")
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInputError("A number in the specification is not finite (.nan, .inf).")
    if value is not None and not isinstance(value, str | int | float | bool):
        raise InvalidInputError(f"{value!r} is no text, number, truth value, list or mapping.")
    return []
