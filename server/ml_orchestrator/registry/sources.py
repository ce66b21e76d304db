"""What the source of a version names besides a place: a logged model, or a path of a run."""

import re

__all__ = ["logged_model_id", "run_artifact"]

_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]{32})")
_RUN = re.compile(r"runs:/([0-9a-f]{32})/([A-Za-z0-9_][A-Za-z0-9_. /-]{0,255})")


def logged_model_id(source: str) -> str | None:
    """Return the logged model that ``models:/m-…`` names, else None."""
    found = _LOGGED_MODEL.fullmatch(source)
    return found and found.group(1)


def run_artifact(source: str) -> tuple[str, str] | None:
    """Return the run and the path that ``runs:/RUN/PATH`` names, else None."""
    found = _RUN.fullmatch(source)
    if found is None or ".." in found.group(2).split("/"):
        return None
    return found.group(1), found.group(2)
