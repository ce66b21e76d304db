"""Which runs nobody asked for one by one: looks of monitors, and what a schedule starts."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["LOOK", "LOOKS_QUEUE", "is_by_itself"]

LOOK: Final = "monitor-look"  # the workflow
LOOKS_QUEUE: Final = "monitors"


def is_by_itself(plan: Mapping[str, Any]) -> bool:
    """Whether a run was started by the clock.

    >>> is_by_itself({"workflow": "monitor-look"}), is_by_itself({"workflow": "train"})
    (True, False)
    """
    return bool(plan["workflow"] == LOOK or plan.get("is_scheduled"))
