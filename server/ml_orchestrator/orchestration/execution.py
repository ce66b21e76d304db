"""Running one step: calling its function and turning what goes wrong into one clear error."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_orchestrator.errors import (
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    PermissionDeniedError,
)
from ml_orchestrator.logs import logged_run
from ml_orchestrator.orchestration.steps._base import STEPS, Report, StepContext
from ml_orchestrator.settings import Settings

__all__ = ["Job", "StepFailedError", "perform"]

_log = logging.getLogger(__name__)


# Trying again what raised one of these would raise it again.
_FINAL = (
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    IntegrityViolationError,
)


class StepFailedError(OrchestratorError):
    """A step did not succeed; the message may be shown. A final one will not the next time."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Job:
    """A step of a run, ready to be executed; parameters and inputs are JSON values.

    All attempts of a run have its ``run_id``, and so its files; they are numbered from 1. In a
    pipeline ``uses`` names the catalogued step, ``step`` the place in the graph, and ``place`` its
    folder inside the run's; ``is_isolated`` wants a process of its own for a step that has none.
    """

    run_id: str
    workflow: str
    step: str
    actor: str
    params: Mapping[str, Any]
    inputs: Mapping[str, Any]
    attempt: int = 1
    uses: str = ""
    place: str = ""
    is_isolated: bool = False

    @property
    def catalogued(self) -> str:
        """The step's name in the catalogue."""
        return self.uses or self.step


def perform(settings: Settings, job: Job, report: Report) -> dict[str, Any]:
    """Run a step in this thread and return its output as JSON values.

    Raises:
        StepFailedError: with the message of an expected error; of any other only that it
            happened, and its traceback is in the log.
    """
    context = StepContext(job.run_id, job.actor, settings, report, job.place)
    logged = logged_run.set(job.run_id)
    _log.info("Step %s of run %s begins", job.step, job.run_id)
    try:
        output = STEPS[job.catalogued].load()(context, job.params, job.inputs)
        plain: dict[str, Any] = json.loads(json.dumps(output, allow_nan=False))
    except OrchestratorError as error:
        _log.info("Step %s of run %s stopped: %s", job.step, job.run_id, error)
        raise StepFailedError(str(error), is_final=isinstance(error, _FINAL)) from error
    except Exception as error:
        _log.exception("Step %s of run %s failed", job.step, job.run_id)
        raise StepFailedError(
            f"Step {job.step!r} failed unexpectedly. The traceback is in logs/worker.log of the "
            "data directory."
        ) from error
    else:
        _log.info("Step %s of run %s is done", job.step, job.run_id)
    finally:
        logged_run.reset(logged)
    return plain
