"""Loading a verified skops file, with our own list of what it may create."""

import tokenize
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.serving.signature import Column, parse_columns

__all__ = ["TRUSTED_TYPES", "LoadedModel", "load_model"]

# Besides these, skops 0.16 trusts what numpy, scipy and scikit-learn estimators consist of.
TRUSTED_TYPES = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
MAX_UNPACKED_BYTES = 1_000_000_000
MAX_MEMBERS = 100_000
MAX_RATIO = 100
_ENCRYPTED = 0x1
# What skops 0.16 raised for 1,600 files with one flipped bit, and its kin.
_DAMAGE = (
    zipfile.BadZipFile,
    tokenize.TokenError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ImportError,
    RuntimeError,
    OSError,
    EOFError,
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory and the columns it takes, in order."""

    estimator: Any
    columns: tuple[Column, ...]


def load_model(
    path: Path, *, signature_inputs: str, extra_trusted: Sequence[str] = ()
) -> LoadedModel:
    """Load ``path``, a skops file in a directory whose manifest was verified.

    Args:
        path: The file, on a private copy.
        signature_inputs: The input columns as MLflow's signature writes them (JSON).
        extra_trusted: Types of ours that a saved pipeline holds.

    Raises:
        IntegrityViolationError: not a plain skops archive, too large when unpacked, or it would
            create a type that we do not trust; no code of the file has run.
    """
    columns = parse_columns(signature_inputs)
    _check_archive(path)
    try:
        estimator = skops.io.load(path, trusted=[*TRUSTED_TYPES, *extra_trusted])
    except UntrustedTypesFoundException as error:
        raise IntegrityViolationError(
            f"The model would create types that are not trusted: {_named(path, extra_trusted)}. "
            "It was not loaded."
        ) from error
    except _DAMAGE as error:
        raise IntegrityViolationError(
            f"The model file is damaged or made by another release ({type(error).__name__})."
        ) from error
    return LoadedModel(estimator=estimator, columns=columns)


def _named(path: Path, extra_trusted: Sequence[str]) -> str:
    unknown = set(skops.io.get_untrusted_types(file=path)) - {*TRUSTED_TYPES, *extra_trusted}
    return ", ".join(sorted(unknown)[:10])


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise IntegrityViolationError(
            f"{path.name} is not a skops archive; a pickle or another format is never loaded."
        ) from error
    names = [member.filename for member in members]
    if "schema.json" not in names or len(set(names)) != len(names) or len(names) > MAX_MEMBERS:
        raise IntegrityViolationError(f"{path.name} is not a plain skops archive.")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise IntegrityViolationError(f"{path.name} has encrypted members.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > min(MAX_UNPACKED_BYTES, MAX_RATIO * path.stat().st_size):
        raise IntegrityViolationError(
            f"{path.name} unpacks to {unpacked} bytes from {path.stat().st_size}; refused."
        )
