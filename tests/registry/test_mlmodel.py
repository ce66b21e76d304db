import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.mlmodel import validate_mlmodel

GOOD: dict[str, Any] = {
    "artifact_path": "file:///somewhere",
    "flavors": {
        "python_function": {
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": "model.skops",
            "predict_fn": "predict",
            "python_version": "3.11.7",
        },
        "sklearn": {
            "code": None,
            "pickled_model": "model.skops",
            "serialization_format": "skops",
            "sklearn_version": "1.9.1",
            "skops_trusted_types": ["posix.system"],  # read by MLflow, never by us
        },
    },
    "mlflow_version": "3.17.2",
    "run_id": "r",
    "signature": {"inputs": '[{"type": "double", "name": "x", "required": true}]'},
    "utc_time_created": "2026-01-01 00:00:00.0",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "outside.skops").write_bytes(b"PK")
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.skops").write_bytes(b"PK")
    return model


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good description with one field, given by its dotted path, set to ``value``."""
    content: dict[str, Any] = json.loads(json.dumps(GOOD))
    *parents, last = path.split(".")
    target = content
    for name in parents:
        target = target.setdefault(name, {})
    target[last] = value
    return content


def test_what_the_tracker_writes_is_accepted(directory: Path) -> None:
    (directory / "MLmodel").write_text(yaml.safe_dump(GOOD))
    description = validate_mlmodel(directory)
    assert description.model_file == "model.skops"
    assert description.library == "scikit-learn 1.9.1"
    assert "double" in description.signature_inputs


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("flavors.python_function.loader_module", "evilmod"),
        ("flavors.python_function.loader_module", "mlflow.pyfunc.model"),
        ("flavors.python_function.code", "code"),
        ("flavors.python_function.data", "x"),
        ("flavors.python_function.model_code_path", "model.py"),
        ("flavors.python_function.config", {}),
        ("flavors.python_function.predict_fn", "__reduce__"),
        ("flavors.python_function.model_path", "../outside.skops"),
        ("flavors.sklearn.code", "code"),
        ("flavors.sklearn.serialization_format", "cloudpickle"),
        ("flavors.sklearn.serialization_format", "pickle"),
        ("flavors.sklearn.pickled_model", "/etc/passwd"),
        ("flavors.xgboost", {"data": "model.xgb"}),
        ("flavors.sklearn", None),
        ("model_code_path", "model.py"),
        ("metadata", {"a": 1}),
        ("env_vars", ["A_TOKEN"]),
        ("signature", None),
        ("signature.params", "[]"),
        ("prompts", ["x"]),
        ("is_signature_from_type_hint", True),
    ],
)
def test_every_other_wish_is_refused_by_name(directory: Path, path: str, value: Any) -> None:
    (directory / "MLmodel").write_text(yaml.safe_dump(changed(path, value)))
    with pytest.raises(IntegrityViolationError, match=path.rsplit(".", 1)[-1] + "|model files"):
        validate_mlmodel(directory)


def a_graph() -> dict[str, Any]:
    """The description of an ONNX graph, as MLflow 3.17 writes it."""
    onnx = {
        "code": None,
        "data": "model.onnx",
        "onnx_session_options": None,
        "onnx_version": "1.23.2",
        "providers": ["CPUExecutionProvider"],
    }
    function = {"data": "model.onnx", "loader_module": "mlflow.onnx", "python_version": "3.11.7"}
    return {**GOOD, "flavors": {"onnx": onnx, "python_function": function}}


def test_an_onnx_graph_is_accepted(directory: Path) -> None:
    (directory / "model.onnx").write_bytes(b"")
    (directory / "MLmodel").write_text(yaml.safe_dump(a_graph()))
    description = validate_mlmodel(directory)
    assert (description.model_file, description.serialization) == ("model.onnx", "onnx")
    assert description.library == "onnx 1.23.2"


@pytest.mark.parametrize(
    ("flavor", "field", "value"),
    [
        ("python_function", "loader_module", "mlflow.sklearn"),
        ("python_function", "code", "code"),
        ("python_function", "data", "other.onnx"),
        ("onnx", "code", "code"),
        ("onnx", "data", "../outside.onnx"),
        ("onnx", "data", "model.skops"),
        ("onnx", "onnx_session_options", {"session_config_entries": {"a": "b"}}),
        ("onnx", "custom_ops", ["evil.so"]),
        ("sklearn", "pickled_model", "model.skops"),
    ],
)
def test_every_other_wish_of_a_graph_is_refused(
    directory: Path, flavor: str, field: str, value: Any
) -> None:
    (directory / "model.onnx").write_bytes(b"")
    content = a_graph()
    content["flavors"].setdefault(flavor, {})[field] = value
    if field == "data" and flavor == "onnx":
        content["flavors"]["python_function"]["data"] = value
    (directory / "MLmodel").write_text(yaml.safe_dump(content))
    with pytest.raises(IntegrityViolationError, match=r"model_path|model files|not allowed"):
        validate_mlmodel(directory)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.skops",
        "..\\outside.skops",
        "/etc/hosts",
        "absent.skops",
        "link.skops",
        "a/b.skops",
        "MLmodel",
    ],
)
def test_the_model_file_must_lie_plainly_in_the_directory(directory: Path, name: str) -> None:
    (directory / "link.skops").symlink_to("../outside.skops")
    content = changed("flavors.sklearn.pickled_model", name)
    content["flavors"]["python_function"]["model_path"] = name
    (directory / "MLmodel").write_text(yaml.safe_dump(content))
    with pytest.raises(IntegrityViolationError, match="model_path"):
        validate_mlmodel(directory)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: [*x, *x]\n", "aliases"),
        ("a: !!python/object/apply:os.system ['touch ran']\n", "tags"),
        ("a: " + "[" * 100_000, "nested"),
        ("a: " + "{b: " * 100_000, "nested"),
        ("a: [1\n", "not plain YAML"),
        ("- just\n- a list\n", "not allowed"),
        ("x" * 1_000_001, "larger than"),
        ("", "not allowed"),
        ("a: 2026-99-99\n", "not plain YAML|not allowed"),
    ],
)
def test_hostile_text_is_refused(directory: Path, text: str, message: str) -> None:
    (directory / "MLmodel").write_text(text)
    with pytest.raises(IntegrityViolationError, match=message):
        validate_mlmodel(directory)
    assert not Path("ran").exists()


def test_bytes_that_are_no_text_and_no_file_at_all_are_refused(directory: Path) -> None:
    with pytest.raises(IntegrityViolationError, match="no MLmodel"):
        validate_mlmodel(directory)
    (directory / "MLmodel").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IntegrityViolationError, match="not UTF-8"):
        validate_mlmodel(directory)
