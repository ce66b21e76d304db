"""From a saved pipeline, or an average of several, to one ONNX file that takes raw rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from ml_orchestrator.compression.exporting import dates as _dates
from ml_orchestrator.compression.exporting import trees as _trees
from ml_orchestrator.compression.exporting.graph import Graph, Value
from ml_orchestrator.compression.exporting.heads import said
from ml_orchestrator.compression.exporting.preparation import prepared
from ml_orchestrator.compression.exporting.steps import STEPS, cannot
from ml_orchestrator.modelfiles.onnx_file import About, InputColumn, Kind

__all__ = ["export_onnx"]

_FILED = (_dates, _trees)  # imported for what they file
TINY = 1e-15


def export_onnx(model: Any, *, single: bool = False) -> bytes:
    """Return the ONNX file of a fitted pipeline, or of an average of such (``training.blend``).

    It takes the raw columns, one input each (see ``modelfiles.onnx_file``), and gives
    ``probabilities``, ``code`` (the number of the class) and ``label``, or ``prediction``.
    Numbers are of 64 bits but for the sums over trees.

    Args:
        model: what was saved.
        single: matrix products in 32 bits, which can be quantised.

    Raises:
        InvalidInputError: a step has no form in ONNX here; the message names it and a way out.
    """
    members = [(model, 1.0)]
    if hasattr(model, "members"):
        members = [(m, w) for (_, m), w in zip(model.members, model.weights, strict=True)]
    columns = _columns([member for member, _ in members])
    graph = Graph(single=single)
    inputs = {
        column.name: graph.input(column.name, "string" if column.kind == "text" else "double")
        for column in columns
    }
    parts = [_pipeline(member, inputs) * weight for member, weight in members]
    answer = parts[0]
    for part in parts[1:]:
        answer = answer + part
    classes = getattr(model, "classes_", None)
    if classes is None:
        flat = graph.op("Reshape", answer, graph.constant(np.array([-1], np.int64)))
        return graph.model({"prediction": (flat, "double", 0)}, About(columns).properties())
    threshold = getattr(model, "threshold", None)
    about = About(columns, tuple(np.asarray(classes).tolist()), threshold)
    return _with_classes(graph, _bent(model, answer), model, about)


def _with_classes(graph: Graph, probabilities: Value, model: Any, about: About) -> bytes:
    labels = np.asarray(model.classes_)
    kind = {"U": "string", "O": "string", "i": "int64", "u": "int64", "b": "bool"}.get(
        labels.dtype.kind
    )
    if kind is None:
        raise cannot(model, f"classes of type {labels.dtype}")
    if about.threshold is None:
        code = graph.op("ArgMax", probabilities, axis=1, keepdims=0)
    else:
        second = graph.columns(probabilities, [1])
        is_second = graph.op("GreaterOrEqual", second, graph.value(float(about.threshold)))
        whole = graph.constant(np.array([-1], np.int64))
        code = graph.op("Reshape", is_second.cast("int64"), whole)
    named = graph.constant(labels.astype(np.int64) if kind == "int64" else labels)
    outputs = {
        "probabilities": (probabilities, "double", len(labels)),
        "code": (code, "int64", 0),
        "label": (graph.op("Gather", named, code, axis=0), kind, 0),
    }
    return graph.model(outputs, about.properties())


def _bent(model: Any, probabilities: Value) -> Value:
    """Write ``training.blend.bend``."""
    scale, shift = getattr(model, "scale", 1.0), getattr(model, "shift", 0.0)
    if (scale, shift) == (1.0, 0.0):
        return probabilities
    graph = probabilities.graph
    least, most = graph.value(TINY), graph.value(1.0)
    logs = graph.op("Log", graph.op("Clip", probabilities, least, most)) * float(scale)
    shifts = np.zeros(len(model.classes_))
    shifts[-1] = shift
    return graph.op("Softmax", logs + graph.constant(shifts), axis=1)


def _pipeline(pipeline: Pipeline, inputs: dict[str, Value]) -> Value:
    value = prepared(pipeline.named_steps["columns"], inputs)
    for _, step in pipeline.steps[1:-1]:
        value = _between(step, value)
    return said(pipeline.steps[-1][1], value)


def _between(step: Any, value: Value) -> Value:
    """Write a step between the columns and the model: one that is known, or one that chooses."""
    if convert := STEPS.get(type(step).__name__):
        return convert(step, value)
    if callable(getattr(step, "get_support", None)):
        return value.graph.columns(value, step.get_support(indices=True).tolist())
    raise cannot(step)


def _columns(pipelines: list[Any]) -> tuple[InputColumn, ...]:
    """Return the raw columns of all pipelines, and what each is read as."""
    kinds: dict[str, Kind] = {}
    for pipeline in pipelines:
        if not isinstance(pipeline, Pipeline) or "columns" not in pipeline.named_steps:
            raise cannot(pipeline, "no pipeline of ours")
        for _, transformer, names in pipeline.named_steps["columns"].transformers_:
            if not isinstance(transformer, str):
                for name in names:
                    kinds.setdefault(str(name), _kind(transformer))
    return tuple(InputColumn(name, kind) for name, kind in kinds.items())


def _kind(transformer: Any) -> Kind:
    for step in _flat(transformer):
        name = type(step).__name__
        if name == "DateParts":
            return "time"
        if name == "TextTopics":
            raise cannot(step)
        if isinstance(getattr(step, "fill_value", None), str):
            return "text"
        if name == "OrdinalEncoder":
            return "boolean"
    return "number"


def _flat(transformer: Any) -> Iterator[Any]:
    if isinstance(transformer, Pipeline):
        for _, step in transformer.steps:
            yield from _flat(step)
    else:
        yield transformer
