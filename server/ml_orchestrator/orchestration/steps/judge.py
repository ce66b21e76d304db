"""Small steps that judge what others found: take the best, or require a number to be enough."""

import math
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.steps._base import StepContext

__all__ = ["pick_best", "require"]


def pick_best(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the candidate whose number is best, the first of equals.

    Raises:
        InvalidInputError: one of them has no such number.
    """
    by, sign = params["by"], 1 if params["higher_is_better"] else -1
    scores = []
    for index, candidate in enumerate(params["candidates"]):
        value = candidate.get(by)
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise InvalidInputError(
                f"Candidate {index} has no number {by!r}; it has: {', '.join(candidate)}."
            )
        scores.append(sign * value)
    index = scores.index(max(scores))
    return {"index": index, "best": params["candidates"][index]}


def require(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the number if it lies where it must.

    Raises:
        InvalidInputError: it does not, or is null, so that nothing after it is done.
    """
    value, low, high = params["value"], params["at_least"], params["at_most"]
    why = f" {params['why']}" if params["why"] else ""
    if value is None:
        raise InvalidInputError(f"There is no number (null) where one is required.{why}")
    if low is not None and not value >= low:
        raise InvalidInputError(f"{value:g} is below {low:g}, which is required.{why}")
    if high is not None and not value <= high:
        raise InvalidInputError(f"{value:g} is above {high:g}, which is allowed.{why}")
    return {"value": value}
