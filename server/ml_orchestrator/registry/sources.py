"""Where the files of a model may lie."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ml_orchestrator.errors import IntegrityViolationError

__all__ = ["is_server", "local_path", "logged_model_id", "run_artifact"]

_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]{32})")
_RUN = re.compile(r"runs:/([0-9a-f]{32})/([A-Za-z0-9_][A-Za-z0-9_. /-]{0,255})")


def is_server(uri: str) -> bool:
    """Return whether an MLflow address is a server, which keeps the files itself."""
    return urlsplit(uri).scheme in {"http", "https"}


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


def local_path(location: str, root: Path) -> Path:
    """Return the directory that ``location`` names, if it lies inside ``root``.

    Args:
        location: An absolute path or a ``file:`` address.
        root: The artifact root.

    Raises:
        IntegrityViolationError: it is anything else; no file outside ``root`` is opened and no
            address is contacted.
    """
    path = _as_path(location)
    if path is None or ".." in path.parts or not path.resolve().is_relative_to(root.resolve()):
        raise IntegrityViolationError(
            f"The model's source {location[:120]!r} is not a directory inside the artifact root "
            f"{root}; refused. Log the model through this server, or copy it there."
        )
    return path


def _as_path(location: str) -> Path | None:
    if not location.isprintable() or "\\" in location:
        return None
    parts = urlsplit(location)
    if parts.scheme == "file" and not (parts.netloc or parts.query or parts.fragment):
        text = unquote(parts.path)
    elif location.startswith("/"):
        text = location
    else:
        return None
    is_plain = text.startswith("/") and text.isprintable() and "\\" not in text
    return Path(text) if is_plain else None
