"""The checks of a verification: each named, each with what it found; nothing is loaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.modelfiles.archive import check_archive
from ml_orchestrator.modelfiles.optional import onnx_files
from ml_orchestrator.modelfiles.pickles import check_pickle
from ml_orchestrator.modelfiles.skops_file import check_types
from ml_orchestrator.registry.contents import check_contents, check_requirements
from ml_orchestrator.registry.mlmodel import ModelDescription, validate_mlmodel
from ml_orchestrator.registry.models import Check

__all__ = ["ModelPolicy", "attempt", "describe_copy", "inspect_copy"]


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """What a model may be made of, here.

    Attributes:
        trusted_types: Types of ours that a saved pipeline may hold, besides those every model may.
        allow_pickle: Whether models in pickle format are let through, after a scan.
    """

    trusted_types: tuple[str, ...] = ()
    allow_pickle: bool = False


def describe_copy(
    copy: Path, *, run_id: str | None, policy: ModelPolicy
) -> tuple[list[Check], ModelDescription | None]:
    """Look at all of a model directory but into its model file, which the loader does itself.

    Returns the checks and, if MLmodel is harmless, what it says.
    """
    checks: list[Check] = []
    description = _check_mlmodel(copy, checks, policy)
    if description is not None:
        model_file = description.model_file
        checks.append(_check_run(description, run_id))
        attempt(checks, "has_only_known_files", lambda: check_contents(copy, model_file))
        attempt(checks, "requirements_are_plain", lambda: check_requirements(copy))
    return checks, description


def inspect_copy(
    copy: Path, *, run_id: str | None, policy: ModelPolicy
) -> tuple[list[Check], ModelDescription | None]:
    """``describe_copy``, and a look into the model file; nothing is loaded."""
    checks, description = describe_copy(copy, run_id=run_id, policy=policy)
    if description is None:
        return checks, None
    path = copy / description.model_file
    if description.serialization == "pickle":
        attempt(checks, "pickle_is_harmless", lambda: check_pickle(path))
    elif description.serialization == "onnx":
        attempt(checks, "graph_is_harmless", lambda: onnx_files().check_onnx_file(path))
    elif attempt(checks, "archive_is_plain", lambda: check_archive(path)):
        _check_types(checks, path, policy.trusted_types)
    return checks, description


def attempt(checks: list[Check], name: str, look: Callable[[], str]) -> bool:
    """Add a check: what ``look`` returned, or the refusal it raised. Return whether it holds."""
    try:
        checks.append(Check(name=name, ok=True, detail=look()))
    except IntegrityViolationError as error:
        checks.append(Check(name=name, ok=False, detail=str(error)))
    return checks[-1].ok


def _check_mlmodel(copy: Path, checks: list[Check], policy: ModelPolicy) -> ModelDescription | None:
    try:
        description = validate_mlmodel(copy, allow_pickle=policy.allow_pickle)
    except IntegrityViolationError as error:
        checks.append(Check(name="mlmodel_is_safe", ok=False, detail=str(error)))
        return None
    detail = f"{description.library} in {description.serialization} format"
    checks.append(Check(name="mlmodel_is_safe", ok=True, detail=detail))
    return description


def _check_run(description: ModelDescription, run_id: str | None) -> Check:
    named = description.run_id
    return Check(
        name="mlmodel_is_of_this_run",
        ok=named is None or named == run_id,
        detail=f"MLmodel names run {named}, the version run {run_id}",
    )


def _check_types(checks: list[Check], path: Path, trusted_types: Sequence[str]) -> None:
    attempt(checks, "types_are_trusted", lambda: check_types(path, extra_trusted=trusted_types))
