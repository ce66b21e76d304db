"""A data directory with a worker for tests of pipelines."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import tests.orchestration.tiny_pipelines as tiny
from tests.orchestration.workflow_bench import Bench, settings_of, until

from ml_orchestrator.orchestration.models import StepStatus
from ml_orchestrator.orchestration.pipelines.planning import Planned, plan_pipeline

__all__ = ["PipelineBench", "open_pipelines"]


class PipelineBench(Bench):
    """Starts pipelines whose steps write into the bench's ledger."""

    def run(self, run_id: str, steps: Mapping[str, Any], **more: Any) -> str:
        """Start a pipeline of these steps and return its run."""
        self.client.start_pipeline(run_id, self.planned(steps, **more), actor="tester")
        self.client.wake()
        return run_id

    def planned(self, steps: Mapping[str, Any], **more: Any) -> Planned:
        """Return a checked pipeline of these steps, which are notes unless they say otherwise."""
        told = {
            name: {"uses": "note", **step, "with": self._told(name, step)}
            if step.get("uses", "note").startswith(("note", "lie"))
            else step
            for name, step in steps.items()
        }
        spec = {"name": "tested", "steps": told, **more}
        return plan_pipeline(spec, {}, self.settings)

    def _told(self, name: str, step: Mapping[str, Any]) -> dict[str, Any]:
        return {"ledger": str(self.ledger), "label": name, **step.get("with", {})}

    def steps(self, run_id: str) -> dict[str, StepStatus]:
        """Return the steps of a run by name."""
        return {step.name: step for step in self.client.status(run_id).steps}

    def n_begun(self, label: str) -> int:
        """Return how often a step began."""
        return sum(
            line["step"] == label and line["is"] == "begun" for line in tiny.lines_of(self.ledger)
        )

    def begun(self, label: str, *, times: int = 1) -> None:
        """Wait until a step has begun so often."""

        def has_begun() -> bool:
            self.client.wake()
            return self.n_begun(label) >= times

        until(has_begun, what=f"{label} begins")


def open_pipelines(home: Path, **given: object) -> closing[PipelineBench]:
    """Open a bench, which ends its workers when it is left."""
    return closing(PipelineBench(settings_of(home, tiny.__name__, **given)))
