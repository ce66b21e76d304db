"""Pipelines that ship: files of this folder, started by their name like built-in workflows."""

from pathlib import Path

__all__ = ["shipped", "shipped_names"]

_FOLDER = Path(__file__).parent


def shipped_names() -> list[str]:
    """Return the names of the pipelines that ship, sorted."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def shipped(name: str) -> str | None:
    """Return the specification of a pipeline that ships, as YAML; None if none has this name."""
    if name not in shipped_names():
        return None
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
