"""Settings as variables of the environment, read and written: each under its name in capitals."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

__all__ = ["PREFIX", "from_environment", "to_environment"]

PREFIX = "ML_ORCHESTRATOR_"
_LISTS = ("plugins", "trusted_types")  # by comma
_OF_MLFLOW = ("tracking_uri", "registry_uri")  # as it names them, where ours are unset


def from_environment(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, Any]:
    """Return what is set of the settings ``names``; text but for lists, not checked."""
    values: dict[str, Any] = {}
    for name in names:
        if text := environ.get(PREFIX + name.upper(), ""):
            values[name] = text
    if roots := values.get("data_roots"):
        values["data_roots"] = tuple(Path(part) for part in roots.split(os.pathsep) if part)
    for name in _LISTS:
        if listed := values.get(name):
            values[name] = tuple(part.strip() for part in listed.split(",") if part.strip())
    for name in _OF_MLFLOW:
        if text := environ.get("MLFLOW_" + name.upper(), ""):
            values.setdefault(name, text)
    return values


def to_environment(values: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return the variables from which a child process reads these settings, secrets in clear."""
    variables: dict[str, str] = {}
    for name, value in values:
        if name == "data_roots":
            variables[PREFIX + name.upper()] = os.pathsep.join(map(str, value))
        elif name in _LISTS:
            variables[PREFIX + name.upper()] = ",".join(value)
        elif isinstance(value, SecretStr):
            variables[PREFIX + name.upper()] = value.get_secret_value()
        elif value is not None:
            variables[PREFIX + name.upper()] = str(value)
    return variables
