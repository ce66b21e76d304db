"""JSON schemas without noise: what is left tells the model something."""

from typing import Any

__all__ = ["tidy"]


def tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without generated titles, null defaults and ``or null`` alternatives.

    >>> tidy({"title": "X", "anyOf": [{"type": "string"}, {"type": "null"}], "default": None})
    {'type': 'string'}
    """
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if _is_noise(key, value):
            continue
        if key in ("properties", "$defs"):
            kept[key] = {name: tidy(part) for name, part in value.items()}
        elif key == "anyOf":
            kept.update(_alternatives([tidy(part) for part in value if part != {"type": "null"}]))
        else:
            kept[key] = tidy(value) if isinstance(value, dict) else value
    return kept


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _alternatives(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return parts[0] if len(parts) == 1 else {"anyOf": parts}
