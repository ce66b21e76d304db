"""Building an ONNX graph as one writes arithmetic; with ``quantising`` all that knows ``onnx``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Graph", "Value"]

OPSET = 17
ML_OPSET = 3  # the last with trees whose leaves hold several numbers
IR_VERSION = 9
ML = "ai.onnx.ml"
_TYPES = {
    "double": TensorProto.DOUBLE,
    "float": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "string": TensorProto.STRING,
    "bool": TensorProto.BOOL,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of a graph; arithmetic with another, or a number, adds a node."""

    graph: "Graph"
    name: str

    def __add__(self, other: "Value | float") -> "Value":
        return self.graph.op("Add", self, self.graph.value(other))

    def __sub__(self, other: "Value | float") -> "Value":
        return self.graph.op("Sub", self, self.graph.value(other))

    def __rsub__(self, other: float) -> "Value":
        return self.graph.op("Sub", self.graph.value(other), self)

    def __mul__(self, other: "Value | float") -> "Value":
        return self.graph.op("Mul", self, self.graph.value(other))

    def __truediv__(self, other: "Value | float") -> "Value":
        return self.graph.op("Div", self, self.graph.value(other))

    def __matmul__(self, other: "Value") -> "Value":
        return self.graph.op("MatMul", self, other)

    def cast(self, kind: str) -> "Value":
        """Return it as ``double``, ``float``, ``int64`` or ``bool``."""
        return self.graph.op("Cast", self, to=_TYPES[kind])

    def floor(self) -> "Value":
        """Return the largest whole numbers not above it."""
        return self.graph.op("Floor", self)


class Graph:
    """A graph that grows; all numbers in it are of 64 bits unless cast.

    Args of the constructor:
        single: matrix products in 32 bits, which is what can be quantised.
    """

    def __init__(self, *, single: bool = False) -> None:
        self.single = single
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def input(self, name: str, kind: str) -> Value:
        """Return a new input of shape ``(n_rows, 1)``."""
        shape: list[int | str] = ["n_rows", 1]
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[kind], shape))
        return Value(self, name)

    def constant(self, array: Any) -> Value:
        """Return an array as it is, text included."""
        name = self._name("constant")
        values = np.asarray(array)
        if values.dtype.kind in "UO":
            values = values.astype(object)
        self._constants.append(numpy_helper.from_array(values, name))
        return Value(self, name)

    def value(self, given: "Value | float") -> Value:
        """Return a number as a tensor of 64 bits, and a value as it is."""
        return given if isinstance(given, Value) else self.constant(np.float64(given))

    def op(self, kind: str, *inputs: Value, domain: str = "", **attributes: Any) -> Value:
        """Add a node of one output and return that; an array among the attributes is a tensor."""
        name = self._name(kind)
        given = {
            key: numpy_helper.from_array(each) if isinstance(each, np.ndarray) else each
            for key, each in attributes.items()
        }
        node = helper.make_node(
            kind, [value.name for value in inputs], [name], name=name, domain=domain, **given
        )
        self._nodes.append(node)
        return Value(self, name)

    def product(self, left: Value, weights: NDArray[np.float64], shift: Any) -> Value:
        """Return ``left @ weights + shift``; weights ``(n_in, n_out)``, shift ``(n_out,)``."""
        if not self.single:
            return left @ self.constant(weights) + self.constant(np.asarray(shift, np.float64))
        narrow = left.cast("float") @ self.constant(weights.astype(np.float32))
        return (narrow + self.constant(np.asarray(shift, np.float32))).cast("double")

    def concat(self, values: Sequence[Value]) -> Value:
        """Return columns side by side."""
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=1)

    def columns(self, value: Value, places: Sequence[int]) -> Value:
        """Return some columns of a matrix."""
        return self.op("Gather", value, self.constant(np.array(places, np.int64)), axis=1)

    def where(self, condition: Value, yes: Value | float, no: Value | float) -> Value:
        """Return ``yes`` where the condition holds, else ``no``."""
        return self.op("Where", condition, self.value(yes), self.value(no))

    def model(
        self, outputs: Mapping[str, tuple[Value, str, int]], about: Mapping[str, str]
    ) -> bytes:
        """Return the file: outputs by name with type and columns (0: a vector), and metadata."""
        for name, (value, _, _) in outputs.items():
            self._nodes.append(
                helper.make_node("Identity", [value.name], [name], name=f"as {name}")
            )
        infos = [
            helper.make_tensor_value_info(name, _TYPES[kind], _shape(n_columns))
            for name, (_, kind, n_columns) in outputs.items()
        ]
        graph = helper.make_graph(
            self._nodes, "ml-orchestrator", self._inputs, infos, initializer=self._constants
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="ml-orchestrator"
        )
        helper.set_model_props(model, dict(about))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"ml-orchestrator/{kind}/{self._count}"


def _shape(n_columns: int) -> list[int | str]:
    return ["n_rows", n_columns] if n_columns else ["n_rows"]
