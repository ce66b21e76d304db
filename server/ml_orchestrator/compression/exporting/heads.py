"""Models that are sums and products, as graphs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.compression.exporting.graph import Value
from ml_orchestrator.compression.exporting.steps import HEADS, cannot, head

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
