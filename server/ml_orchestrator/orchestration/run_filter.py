"""Which runs a list is of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_orchestrator.orchestration.models import RunState
from ml_orchestrator.orchestration.origins import is_by_itself

__all__ = ["ASKED_FOR", "EVERY_RUN", "RunFilter"]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Runs of one workflow or of all, in one state or in any.

    Unless a workflow is named or ``everything`` is wanted, what the clock started and what then
    succeeded is left out: looks of monitors, scheduled pipelines. What failed is always shown.
    """

    workflow: str | None = None
    state: RunState | None = None
    everything: bool = False

    @property
    def hides(self) -> bool:
        """Whether anything is left out for having been started by the clock."""
        is_open = self.state in (None, "succeeded")
        return not self.everything and self.workflow is None and is_open

    def fits(self, plan: Mapping[str, Any], *, state: RunState) -> bool:
        """Whether a run is wanted."""
        is_it = self.workflow in (None, plan["workflow"]) and self.state in (None, state)
        return is_it and not self.leaves_out(plan, state=state)

    def leaves_out(self, plan: Mapping[str, Any], *, state: RunState) -> bool:
        """Whether a run is left out for having been started by the clock."""
        return self.hides and state == "succeeded" and is_by_itself(plan)


EVERY_RUN = RunFilter(everything=True)
ASKED_FOR = RunFilter()
