"""A strict reading of MLmodel: what may be loaded, decided before anything is.

MLflow's own loader imports the ``loader_module`` and the ``code`` that a model names, follows
``model_path`` out of its directory and takes the list of trusted types from the model itself
(3.17). Here a model is refused unless it is exactly a scikit-learn pipeline in skops format, an
ONNX graph, or, if an operator allows it, a pipeline in pickle format.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from ml_orchestrator.errors import IntegrityViolationError

__all__ = ["ModelDescription", "validate_mlmodel"]

FILE_NAME = "MLmodel"
MAX_BYTES = 1_000_000
MAX_DEPTH = 20
_SUFFIXES = {"skops": ".skops", "pickle": ".pkl", "onnx": ".onnx"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _PythonFunction(_Strict):
    loader_module: Literal["mlflow.sklearn"]
    model_path: str
    predict_fn: Literal["predict"] = "predict"
    env: dict[Literal["conda", "virtualenv"], str] | None = None
    python_version: str | None = None
    code: None = None


class _Sklearn(_Strict):
    pickled_model: str
    serialization_format: Literal["skops", "pickle", "cloudpickle"]
    sklearn_version: str
    skops_trusted_types: list[str] | None = None
    code: None = None


class _Flavors(_Strict):
    python_function: _PythonFunction
    sklearn: _Sklearn


class _OnnxFunction(_Strict):
    loader_module: Literal["mlflow.onnx"]
    data: str
    env: dict[Literal["conda", "virtualenv"], str] | None = None
    python_version: str | None = None
    code: None = None


class _Onnx(_Strict):
    data: str
    onnx_version: str
    providers: list[str]
    onnx_session_options: None = None
    code: None = None


class _OnnxFlavors(_Strict):
    python_function: _OnnxFunction
    onnx: _Onnx


class _Signature(_Strict):
    inputs: str
    outputs: str | None = None
    params: None = None


class _MLmodel(_Strict):
    flavors: _Flavors
    signature: _Signature
    artifact_path: str | None = None
    is_signature_from_type_hint: Literal[False] = False
    type_hint_from_example: Literal[False] = False
    mlflow_version: str | None = None
    model_id: str | None = None
    model_size_bytes: int | None = None
    model_uuid: str | None = None
    prompts: None = None
    run_id: str | None = None
    saved_input_example_info: dict[str, str | bool] | None = None
    utc_time_created: Annotated[str | None, BeforeValidator(lambda value: value and str(value))] = (
        None
    )


class _OnnxMLmodel(_MLmodel):
    flavors: _OnnxFlavors  # type: ignore[assignment]


class ModelDescription(_Strict):
    """What MLmodel says, once every word of it was found harmless."""

    model_file: str
    library: str
    signature_inputs: str
    signature_outputs: str | None = None
    serialization: Literal["skops", "pickle", "onnx"] = "skops"
    run_id: str | None = None


def validate_mlmodel(directory: Path, *, allow_pickle: bool = False) -> ModelDescription:
    """Read ``directory``/MLmodel without loading anything it names.

    Args:
        directory: The model directory.
        allow_pickle: Whether an operator lets models in pickle format through, to be scanned.

    Raises:
        IntegrityViolationError: anything but a scikit-learn model in skops format or an ONNX
            graph, whose file lies inside the directory; the message names the offending field.
    """
    found = _parse(_read(directory / FILE_NAME))
    try:
        content = _kind(found).model_validate(found)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or FILE_NAME}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)[:5]
        )
        raise IntegrityViolationError(
            f"MLmodel asks for something that is not allowed ({faults}). Only scikit-learn "
            "models in skops format and ONNX graphs, without code of their own, are loaded."
        ) from None
    if isinstance(content, _OnnxMLmodel):
        return _describe_onnx(directory, content)
    if content.flavors.sklearn.serialization_format != "skops" and not allow_pickle:
        raise IntegrityViolationError(
            "MLmodel asks for something that is not allowed (flavors.sklearn."
            "serialization_format: a pickle). Save the model in skops format; an operator can "
            "allow scanned pickles with ML_ORCHESTRATOR_ALLOW_PICKLE=true."
        )
    return _describe(directory, content)


def _kind(found: Any) -> type[_MLmodel]:
    flavors = found.get("flavors") if isinstance(found, dict) else None
    return _OnnxMLmodel if isinstance(flavors, dict) and "onnx" in flavors else _MLmodel


def _describe_onnx(directory: Path, content: _OnnxMLmodel) -> ModelDescription:
    return ModelDescription(
        model_file=_model_file(
            directory, content.flavors.onnx.data, content.flavors.python_function.data, "onnx"
        ),
        library=f"onnx {content.flavors.onnx.onnx_version}",
        signature_inputs=content.signature.inputs,
        signature_outputs=content.signature.outputs,
        serialization="onnx",
        run_id=content.run_id,
    )


def _model_file(directory: Path, named: str, also_named: str, serialization: str) -> str:
    """Return the name of the model's file, which lies in the directory and nowhere else."""
    suffix = _SUFFIXES[serialization]
    if also_named != named:
        raise IntegrityViolationError("MLmodel names two different model files; refused.")
    is_plain = _PLAIN_NAME.fullmatch(named) is not None and named.endswith(suffix)
    target = directory / named
    if not is_plain or target.is_symlink() or not target.is_file():
        raise IntegrityViolationError(
            f"MLmodel's model_path {named[:120]!r} is not a {suffix} file in the model directory."
        )
    return named


def _describe(directory: Path, content: _MLmodel) -> ModelDescription:
    is_skops = content.flavors.sklearn.serialization_format == "skops"
    serialization: Literal["skops", "pickle"] = "skops" if is_skops else "pickle"
    sklearn = content.flavors.sklearn
    model_file = _model_file(
        directory, sklearn.pickled_model, content.flavors.python_function.model_path, serialization
    )
    return ModelDescription(
        model_file=model_file,
        library=f"scikit-learn {sklearn.sklearn_version}",
        signature_inputs=content.signature.inputs,
        signature_outputs=content.signature.outputs,
        serialization=serialization,
        run_id=content.run_id,
    )


def _read(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        raise IntegrityViolationError("The model directory has no MLmodel file.")
    if path.stat().st_size > MAX_BYTES:
        raise IntegrityViolationError(f"MLmodel is larger than {MAX_BYTES} bytes.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityViolationError("MLmodel is not UTF-8 text.") from error


def _parse(text: str) -> Any:
    try:
        _check_plain(text)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise IntegrityViolationError(
            f"MLmodel is not plain YAML: {type(error).__name__}."
        ) from error


def _check_plain(text: str) -> None:
    """Parse without composing, and refuse an alias, an anchor, a tag or deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise IntegrityViolationError("MLmodel uses YAML aliases; refused.")
        if getattr(event, "tag", None):
            raise IntegrityViolationError("MLmodel uses YAML tags; refused.")
        if depth > MAX_DEPTH:
            raise IntegrityViolationError(f"MLmodel is nested deeper than {MAX_DEPTH} levels.")
