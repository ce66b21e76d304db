"""ONNX files of ours: looked through before ONNX Runtime sees them, and asked with raw rows.

A file is a graph of a fixed list of operators on constants inside it. Refused are operators of
other libraries, functions, branches and loops, and constants that lie in other files.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError

__all__ = [
    "MISSING_TEXT",
    "About",
    "InputColumn",
    "OnnxClassifier",
    "OnnxRegressor",
    "as_graph",
    "check_onnx",
    "check_onnx_file",
    "open_onnx",
    "open_onnx_file",
]

MAX_BYTES = 500_000_000
MAX_NODES = 100_000
MISSING_TEXT = "(missing)"  # what the pipelines put where text is missing
KEY = "ml_orchestrator"
EPOCH = pd.Timestamp("2000-01-01", tz="UTC")
Kind = Literal["number", "boolean", "text", "time"]
_STANDARD = """
    Add And ArgMax Cast Clip Concat Cos Div DynamicQuantizeLinear Equal Exp Floor Gather
    GreaterOrEqual Identity IsNaN Less Log MatMul MatMulInteger Mul Or ReduceMax ReduceSum Relu
    Reshape Sigmoid Sin Softmax Squeeze Sub Tanh Unsqueeze Where
"""
_OPERATORS = {
    "": frozenset(_STANDARD.split()),
    "ai.onnx.ml": frozenset({"LabelEncoder", "TreeEnsembleRegressor"}),
}


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A raw column and how it reaches the graph.

    Numbers, and truths as 1 and 0, are given as they are with NaN where one is missing; text with
    ``(missing)`` there; a time as the seconds since 2000, UTC.
    """

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself: its raw columns in order, and the labels of its classes.

    ``threshold``: the probability from which the second of two classes is predicted; None
    predicts the most probable.
    """

    columns: tuple[InputColumn, ...]
    classes: tuple[Any, ...] = ()
    threshold: float | None = None

    def properties(self) -> dict[str, str]:
        """Return it as the metadata of a file."""
        content: dict[str, Any] = {
            "columns": [asdict(each) for each in self.columns],
            "classes": [*self.classes],
        }
        if self.threshold is not None:
            content["threshold"] = self.threshold
        return {KEY: json.dumps(content)}


def check_onnx(content: bytes) -> str:
    """Look through a file without running it, and return what it holds.

    Raises:
        IntegrityViolationError: too large, damaged, or it has more than operators on our list.
    """
    if len(content) > MAX_BYTES:
        raise _refused(f"has {len(content)} bytes; at most {MAX_BYTES} are read")
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise _refused(f"is damaged ({type(error).__name__})") from error
    if model.functions or model.training_info:
        raise _refused("brings functions of its own")
    nodes, constants = model.graph.node, model.graph.initializer
    if len(nodes) > MAX_NODES or model.graph.sparse_initializer:
        raise _refused("has too many nodes, or constants of a kind that is not read")
    for node in nodes:
        if node.op_type not in _OPERATORS.get(node.domain, ()):
            raise _refused(f"uses the operator {node.domain[:40]}:{node.op_type[:40]}")
        if any(each.HasField("g") or each.graphs for each in node.attribute):
            raise _refused("has a graph within a graph")
    tensors = [*constants, *(a.t for node in nodes for a in node.attribute if a.HasField("t"))]
    if any(t.external_data or t.data_location != onnx.TensorProto.DEFAULT for t in tensors):
        raise _refused("names another file")
    return f"{len(nodes)} operators, all on our list, and {len(constants)} constants"


def open_onnx(content: bytes) -> "OnnxClassifier | OnnxRegressor":
    """Return a model that takes frames of raw rows like the pipeline it was made from.

    Raises:
        IntegrityViolationError: ``check_onnx`` refuses the file, or ONNX Runtime cannot read it.
    """
    check_onnx(content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as the pipelines: sums in one order, on one core
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime 1.32 has a class of errors for each of its codes
        raise _refused(f"cannot be read ({type(error).__name__})") from error
    about = _about(session.get_modelmeta().custom_metadata_map)
    known = {each.name for each in session.get_inputs()}
    if known != {column.name for column in about.columns}:
        raise _refused("names other columns than it takes")
    kind = OnnxClassifier if about.classes else OnnxRegressor
    return kind(session, about, content)


def check_onnx_file(path: Path) -> str:
    """``check_onnx`` for a file."""
    return check_onnx(_read(path))


def open_onnx_file(path: Path) -> "OnnxClassifier | OnnxRegressor":
    """``open_onnx`` for a file: the bytes that were looked through, read once."""
    return open_onnx(_read(path))


def as_graph(content: bytes) -> Any:
    """Return the graph as ``onnx`` holds it, looked through."""
    check_onnx(content)
    return onnx.load_model_from_string(content)


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise _refused(f"has {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
    return path.read_bytes()


class _OnnxModel:
    """A session, and the columns that it is fed with."""

    def __init__(self, session: Any, about: About, content: bytes) -> None:
        self._session = session
        self._about = about
        self.content = content

    @cached_property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the raw columns."""
        return np.array([column.name for column in self._about.columns], dtype=object)

    def _ask(self, features: pd.DataFrame, outputs: Sequence[str]) -> list[Any]:
        fed = {column.name: _fed(features[column.name], column) for column in self._about.columns}
        answers: list[Any] = self._session.run(list(outputs), fed)
        return answers


class OnnxRegressor(_OnnxModel):
    """Predicts numbers."""

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return one value a row, shape ``(n_rows,)``, for raw rows."""
        values: NDArray[np.float64] = self._ask(features, ["prediction"])[0]
        return values


class OnnxClassifier(_OnnxModel):
    """Predicts classes."""

    @cached_property
    def classes_(self) -> NDArray[Any]:
        """Labels in the order of the columns of ``predict_proba``."""
        return np.array(self._about.classes)

    @property
    def threshold(self) -> float | None:
        """The probability from which the second of two classes is predicted; None: no such."""
        return self._about.threshold

    def predict_proba(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return probabilities, shape ``(n_rows, n_classes)``."""
        values: NDArray[np.float64] = self._ask(features, ["probabilities"])[0]
        return values

    def predict(self, features: pd.DataFrame) -> NDArray[Any]:
        """Return one label a row, shape ``(n_rows,)``."""
        labels: NDArray[Any] = self.classes_[self._ask(features, ["code"])[0]]
        return labels


def _fed(column: "pd.Series[Any]", about: InputColumn) -> NDArray[Any]:
    """Return a raw column as its graph takes it, shape ``(n_rows, 1)``."""
    values: NDArray[Any]
    if about.kind == "text":
        values = np.array(column.astype(object).where(column.notna(), MISSING_TEXT), dtype=object)
    elif about.kind == "time":
        values = _seconds(column)
    else:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return values.reshape(-1, 1)


def _seconds(column: "pd.Series[Any]") -> NDArray[np.float64]:
    raw = column.astype(object).where(column.notna(), None)
    times = pd.to_datetime(raw, errors="coerce", utc=True, format="ISO8601")
    wrong = raw[raw.notna() & times.isna()]
    if len(wrong):
        raise InvalidInputError(
            f"Column {str(column.name)!r}: {str(wrong.iloc[0])[:60]!r} is not a date; send ISO "
            "8601, such as 2024-01-31 or 2024-01-31T12:00:00, or null if it is missing."
        )
    seconds = (times - EPOCH) / pd.Timedelta(seconds=1)
    return np.asarray(seconds.to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)


def _about(properties: dict[str, str]) -> About:
    try:
        content = json.loads(properties[KEY])
        columns = tuple(InputColumn(str(c["name"]), c["kind"]) for c in content["columns"])
        classes = tuple(content["classes"])
        threshold = content.get("threshold")
        threshold = None if threshold is None else float(threshold)
    except (KeyError, TypeError, ValueError) as error:
        raise _refused("does not say which columns it takes") from error
    if any(column.kind not in get_args(Kind) for column in columns):
        raise _refused("takes columns of an unknown kind")
    return About(columns, classes, threshold)


def _refused(why: str) -> IntegrityViolationError:
    return IntegrityViolationError(f"The ONNX file {why}; it was not loaded.")
