"""Checks before a compression is queued."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.orchestration.compressing.case import origin_of
from ml_orchestrator.orchestration.compressing.methods import require_onnx
from ml_orchestrator.settings import Settings

__all__ = ["check_compression"]


def check_compression(settings: Settings, params: Mapping[str, Any]) -> None:
    """Raise what the run would raise at its start; nothing is loaded or written.

    Raises:
        NotFoundError: no such model, version or alias.
        InvalidInputError: the version does not say how its rows were held out.
        UnavailableError: a method needs a library that is not installed.
    """
    if {"onnx", "quantise"} & set(params["methods"]):
        require_onnx()
    origin_of(settings, params["model"], params["version"])
