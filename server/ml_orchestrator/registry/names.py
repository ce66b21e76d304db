"""Names of models, aliases, versions and runs that are safe in paths and queries."""

import re

from ml_orchestrator.errors import InvalidInputError

__all__ = [
    "check_alias",
    "check_model",
    "check_run_id",
    "check_version",
    "is_alias",
    "is_model",
]

MAX_VERSION = 2**31 - 1

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# Names that some systems open as a device, whatever follows the dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# MLflow keeps "latest" and "v<number>" for itself.
_RESERVED = re.compile(r"latest|v[0-9]+")


def is_model(name: str) -> bool:
    """Return whether ``name`` can name a model."""
    return _MODEL.fullmatch(name) is not None and _DEVICE.fullmatch(name) is None


def is_alias(name: str) -> bool:
    """Return whether ``name`` can be an alias."""
    is_free = _RESERVED.fullmatch(name) is None and _DEVICE.fullmatch(name) is None
    return _ALIAS.fullmatch(name) is not None and is_free


def check_model(name: str) -> str:
    """Return ``name`` if it can name a model, else raise InvalidInputError."""
    return _match(
        _MODEL,
        name,
        "model name",
        "1 to 128 letters, digits, _ . or -, beginning with a letter or digit",
    )


def check_alias(name: str) -> str:
    """Return ``name`` if it can be an alias, else raise InvalidInputError."""
    allowed = "1 to 64 lower-case letters, digits, _ or -, beginning with a letter"
    _match(_ALIAS, name, "alias", allowed)
    if _RESERVED.fullmatch(name):
        raise InvalidInputError(
            f"Alias {name!r} is reserved by MLflow; choose another, e.g. 'champion'."
        )
    return name


def check_run_id(name: str) -> str:
    """Return ``name`` if it can be a run id, else raise InvalidInputError."""
    return _match(_RUN_ID, name, "run id", "1 to 64 letters, digits, _ or -")


def check_version(version: int) -> int:
    """Return ``version`` if it can be a version number, else raise InvalidInputError."""
    if isinstance(version, bool) or not 1 <= version <= MAX_VERSION:
        raise InvalidInputError(
            f"Version {version!r} is not a whole number from 1 to {MAX_VERSION}."
        )
    return version


def _match(pattern: re.Pattern[str], name: str, kind: str, allowed: str) -> str:
    if not pattern.fullmatch(name) or _DEVICE.fullmatch(name):
        shown = repr(name if len(name) <= 80 else name[:80] + "…")
        raise InvalidInputError(
            f"{shown} cannot be {'an' if kind[0] in 'aeiou' else 'a'} {kind}; allowed: {allowed}, "
            "and no name of a device such as 'con'."
        )
    return name
