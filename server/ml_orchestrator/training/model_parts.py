"""What a fitted model of ours is made of."""

from collections.abc import Iterator
from typing import Any

from sklearn.utils.validation import has_fit_parameter

__all__ = ["members_of", "steps_on_columns", "takes_weights"]


def members_of(model: Any) -> list[Any]:
    """Return the pipelines that a blend is made of; a model that is none stands for itself."""
    return [member for _, member in getattr(model, "members", [("", model)])]


def steps_on_columns(pipeline: Any) -> Iterator[tuple[Any, list[str]]]:
    """Give each step of a fitted pipeline that works on raw columns, and the columns of its branch.

    Branches of a single step, such as target means, are not among them.
    """
    for _, branch, columns in pipeline.named_steps["columns"].transformers_:
        for step in getattr(branch, "named_steps", {}).values():
            yield step, list(columns)


def takes_weights(model: Any) -> bool:
    """Return whether a model can weigh rows; of one around a ``regressor``, whether that can.

    One around another (a scaled target, a change from the last value) passes the weights on.
    """
    while hasattr(model, "regressor"):
        model = model.regressor
    return bool(has_fit_parameter(model, "sample_weight"))
