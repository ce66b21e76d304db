"""Loading a verified model file, with our own list of what it may create."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.modelfiles.archive import DAMAGE
from ml_orchestrator.modelfiles.optional import onnx_files
from ml_orchestrator.modelfiles.pickles import load_pickle
from ml_orchestrator.modelfiles.skops_file import TRUSTED_TYPES, load_skops
from ml_orchestrator.modelfiles.trees import check_trees
from ml_orchestrator.serving.output import Kind, parse_kind
from ml_orchestrator.serving.signature import Column, parse_columns
from ml_orchestrator.serving.table import Table
from ml_orchestrator.serving.unseen import Categories, categories_of

__all__ = [
    "TRUSTED_TYPES",
    "LoadedModel",
    "Serialization",
    "ShortWay",
    "load_model",
    "reads_other_rows",
]

Serialization = Literal["skops", "pickle", "onnx"]


class ShortWay(Protocol):
    """Says what a model would, of the columns of a table; probabilities where the model does."""

    def predict(self, features: Table) -> Any:
        """Return one prediction a row."""

    def predict_proba(self, features: Table) -> Any:
        """Return the probabilities of each row, shape ``(n_rows, n_classes)``."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, the columns it takes, in order, and of what kind its answers must be.

    ``short`` says the same of a few rows in less time; None where that is not known.
    ``categories`` are the columns of text whose values in training are known.
    """

    estimator: Any
    columns: tuple[Column, ...]
    answers: Kind | None = None
    short: ShortWay | None = None
    categories: tuple[Categories, ...] = ()


def load_model(
    path: Path,
    *,
    signature_inputs: str,
    signature_outputs: str | None = None,
    extra_trusted: Sequence[str] = (),
    serialization: Serialization = "skops",
) -> LoadedModel:
    """Load ``path``, a file in a directory whose manifest was verified.

    Args:
        path: The file, on a private copy.
        signature_inputs: The input columns as MLflow's signature writes them (JSON).
        signature_outputs: What it says of the answers; None checks no kind.
        extra_trusted: Types of ours that a saved pipeline in skops format holds.
        serialization: What a verified copy's description says; a pickle only gets there if
            an operator allows pickles.

    Raises:
        IntegrityViolationError: not a plain file of its kind, too large when unpacked, or it
            would create or call something that we do not trust; no code of the file has run.
    """
    columns, answers = parse_columns(signature_inputs), parse_kind(signature_outputs)
    estimator = _LOADERS[serialization](path, extra_trusted)
    if not callable(getattr(estimator, "predict", None)):
        raise IntegrityViolationError(
            f"{path.name} holds a {type(estimator).__name__}, which cannot predict."
        )
    try:
        if serialization != "onnx":  # whose trees are checked by ONNX Runtime
            check_trees(estimator)
    except DAMAGE as error:
        raise IntegrityViolationError(
            f"The decision trees in {path.name} are damaged ({type(error).__name__})."
        ) from error
    known = categories_of(estimator, columns)
    return LoadedModel(estimator, columns, answers, categories=known)


def reads_other_rows(estimator: Any) -> bool:
    """Whether a row's answer may depend on rows beside it, so that requests must not be mixed.

    A step says so by ``reads_other_rows``; those of training that look back in time do.
    """
    if not hasattr(estimator, "get_params"):
        return False
    parts = estimator.get_params(deep=True).values()
    return any(getattr(part, "reads_other_rows", False) is True for part in parts)


def _skops(path: Path, extra_trusted: Sequence[str]) -> Any:
    return load_skops(path, extra_trusted=extra_trusted)


def _pickle(path: Path, _: Sequence[str]) -> Any:
    return load_pickle(path)


def _onnx(path: Path, _: Sequence[str]) -> Any:
    return onnx_files().open_onnx_file(path)


_LOADERS: Mapping[Serialization, Callable[[Path, Sequence[str]], Any]] = MappingProxyType(
    {"skops": _skops, "pickle": _pickle, "onnx": _onnx}
)
