"""Models that are sums and products, as graphs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.compression.exporting.graph import Value
from ml_orchestrator.compression.exporting.steps import HEADS, cannot, head
from ml_orchestrator.numerics.tabular_net import EPSILON, checked, n_blocks_of

__all__ = ["both", "said", "shares"]

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


def said(model: Any, value: Value) -> Value:
    """Return what a fitted model says of prepared columns.

    Raises:
        InvalidInputError: it has no form in ONNX here; the message names it.
    """
    convert = HEADS.get(type(model).__name__)
    if convert is None:
        raise cannot(model)
    return convert(model, value)


def both(second: Value) -> Value:
    """Return the probabilities of two classes, given that of the second, ``(n_rows, 1)``."""
    return second.graph.concat([1.0 - second, second])


def shares(scores: Value) -> Value:
    """Return probabilities from scores in any size: ``(n_rows, n_classes)``."""
    return scores.graph.op("Softmax", scores, axis=1)


@head("LogisticRegression")
def _logistic(model: Any, value: Value) -> Value:
    scores = value.graph.product(value, model.coef_.T, model.intercept_)
    if len(model.classes_) > 2:
        return shares(scores)
    return both(value.graph.op("Sigmoid", scores))


@head("Ridge", "ElasticNet", "QuantileRegressor")
def _line(model: Any, value: Value) -> Value:
    weights: NDArray[np.float64] = np.asarray(model.coef_, np.float64).reshape(1, -1)
    return value.graph.product(value, weights.T, np.reshape(model.intercept_, -1))


@head("TransformedTargetRegressor")
def _scaled_back(model: Any, value: Value) -> Value:
    scaler = model.transformer_
    if type(scaler).__name__ != "StandardScaler":
        raise cannot(scaler, "of the target")
    return said(model.regressor_, value) * float(scaler.scale_[0]) + float(scaler.mean_[0])


@head("MLPClassifier", "MLPRegressor")
def _layers(model: Any, value: Value) -> Value:
    graph = value.graph
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    for weights, shift in layers[:-1]:
        value = graph.product(value, weights, shift)
        if model.activation != "identity":
            value = graph.op(_ACTIVATIONS[model.activation], value)
    value = graph.product(value, *layers[-1])
    if model.out_activation_ == "softmax":
        return shares(value)
    return both(graph.op("Sigmoid", value)) if model.out_activation_ == "logistic" else value


@head("GaussianNB")
def _normal(model: Any, value: Value) -> Value:
    """Write the log density of each class, and shares of them."""
    graph = value.graph
    means, variances = np.asarray(model.theta_), np.asarray(model.var_)
    fixed = np.log(model.class_prior_) - 0.5 * np.log(2.0 * np.pi * variances).sum(axis=1)
    axis = graph.constant(np.array([1], np.int64))
    apart = graph.op("Unsqueeze", value, axis) - graph.constant(means[None])
    terms = apart * apart / graph.constant(variances[None])
    axes = graph.constant(np.array([2], np.int64))
    return shares(graph.constant(fixed) - graph.op("ReduceSum", terms, axes, keepdims=0) * 0.5)


@head("NetClassifier", "NetRegressor")
def _net(model: Any, value: Value) -> Value:
    """Write ``numerics.tabular_net.forward``, member by member, and their mean."""
    arrays, graph = checked(model.arrays_), value.graph
    held = _pieces(arrays, value)
    parts: list[Value] = []
    for signs, weights, shift in zip(
        arrays["signs"], arrays["heads"], arrays["heads_shift"], strict=True
    ):
        state = graph.product(held, signs[:, None] * arrays["first"], arrays["first_shift"])
        for i in range(n_blocks_of(arrays)):
            inner = _levelled(state, arrays[f"gain_{i}"], arrays[f"offset_{i}"])
            inner = graph.op(
                "Relu", graph.product(inner, arrays[f"up_{i}"], arrays[f"up_shift_{i}"])
            )
            state = state + graph.product(inner, arrays[f"down_{i}"], arrays[f"down_shift_{i}"])
        last = graph.op("Relu", _levelled(state, arrays["last_gain"], arrays["last_offset"]))
        scores = graph.product(last, weights, shift[0])
        parts.append(shares(scores) if hasattr(model, "classes_") else scores)
    mean = parts[0]
    for part in parts[1:]:
        mean = mean + part
    mean = mean / float(len(parts))
    return mean if hasattr(model, "classes_") else mean * model.spread_ + model.middle_


def _pieces(arrays: Mapping[str, NDArray[Any]], value: Value) -> Value:
    """Write where a row lies on each piece of its columns, held between the bounds."""
    graph = value.graph
    left, width, low, high = (
        graph.constant(arrays[name]) for name in ("left", "width", "low", "high")
    )
    places = (graph.columns(value, arrays["columns"].tolist()) - left) / width
    raised = graph.where(graph.op("Less", places, low), low, places)
    return graph.where(graph.op("Less", high, raised), high, raised)


def _levelled(state: Value, gain: NDArray[np.float64], offset: NDArray[np.float64]) -> Value:
    graph, width = state.graph, float(len(gain))
    axes = graph.constant(np.array([1], np.int64))
    apart = state - graph.op("ReduceSum", state, axes, keepdims=1) / width
    variance = graph.op("ReduceSum", apart * apart, axes, keepdims=1) / width
    root = graph.op("Exp", graph.op("Log", variance + EPSILON) * 0.5)
    return apart / root * graph.constant(gain) + graph.constant(offset)
