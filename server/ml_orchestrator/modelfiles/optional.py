"""Readers of formats that need an extra, imported when a file of that format is met."""

from types import ModuleType

from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.extras import pip_install

__all__ = ["onnx_files"]


def onnx_files() -> ModuleType:
    """Return ``modelfiles.onnx_file``.

    Raises:
        IntegrityViolationError: ``onnx`` or ``onnxruntime`` is not installed, so that nobody can
            look through an ONNX file.
    """
    try:
        return import_alone("ml_orchestrator.modelfiles.onnx_file")
    except ImportError as error:
        raise IntegrityViolationError(
            "An ONNX file cannot be looked through without onnx and onnxruntime. Install them "
            f"with: {pip_install('onnx')}."
        ) from error
