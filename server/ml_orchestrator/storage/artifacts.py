"""Where the files of runs and models may lie, whatever an MLflow server or client says."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ml_orchestrator.errors import IntegrityViolationError

__all__ = ["artifact_place", "is_plain", "is_server", "local_path"]

_SERVED = re.compile(r"mlflow-artifacts:(?://(?P<host>[A-Za-z0-9.:-]+))?(?P<path>/[\w@ +,=./-]*)")
_PLAIN = re.compile(r"[\w@+,=-][\w@ +,=.-]*(/[\w@+,=-][\w@ +,=.-]*)*")


def is_server(uri: str) -> bool:
    """Return whether an MLflow address is a server, which keeps the files itself."""
    return urlsplit(uri).scheme in {"http", "https"}


def is_plain(name: str) -> bool:
    """Return whether ``name`` is a relative path of ordinary characters that stays below."""
    return _PLAIN.fullmatch(name) is not None


def artifact_place(location: str, *, root: Path, tracking_uri: str) -> str:
    """Return ``location`` if our files may lie there.

    That is a directory inside ``root``, or with an MLflow server a path of that same server. A
    server that names another host would be sent our login for it.

    Raises:
        IntegrityViolationError: it is anything else; nothing is opened, written or contacted.
    """
    if is_server(tracking_uri) and _is_served(location, tracking_uri):
        return location
    return local_path(location, root).as_uri()


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
            f"{location[:120]!r} is not a directory inside the artifact root {root}, and not kept "
            "by the MLflow server in use; refused. Log the model through us, or copy it there."
        )
    return path


def _is_served(location: str, tracking_uri: str) -> bool:
    found = _SERVED.fullmatch(location)
    if found is None or ".." in found["path"].split("/"):
        return False
    return found["host"] in {None, urlsplit(tracking_uri).netloc.rpartition("@")[2]}


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
