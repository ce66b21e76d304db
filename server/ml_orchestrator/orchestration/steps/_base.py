"""What a step is, and the catalogue of them."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.settings import Settings

__all__ = [
    "STEPS",
    "STOP_FILE",
    "Report",
    "Signature",
    "Step",
    "StepContext",
    "StepFunction",
    "load_plugins",
    "run_folder",
]

STOP_FILE = "stop"  # in a run's folder: its search shall end with the best so far


class Report(Protocol):
    """Tells those who wait how far a step is."""

    def __call__(
        self, fraction: float, message: str, numbers: Mapping[str, float] | None = None
    ) -> None:
        """Report ``fraction`` (0 to 1) done; calls may come often, few are stored."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """What every step is given beside its parameters.

    ``place`` tells apart the steps of a pipeline, which may use one function several times; it is
    empty in a built-in workflow.
    """

    run_id: str
    actor: str
    settings: Settings
    report: Report
    place: str = ""

    @property
    def folder(self) -> Path:
        """The run's folder, or that of this step of a pipeline; it exists."""
        return run_folder(self.settings, self.run_id, self.place)

    @property
    def effect_id(self) -> str:
        """What names this step's effects, so that a second time changes nothing."""
        return f"{self.run_id}-{self.place.replace('/', '-')}" if self.place else self.run_id


StepFunction = Callable[[StepContext, Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a step takes and gives: with it, a pipeline may use the step.

    ``takes`` and ``gives`` name pydantic models as ``module:model``; the step is called with the
    inputs, checked and completed, as its parameters. ``version`` goes up when a step gives
    something else for the same inputs: runs of the old one then stop, and caches do not count.
    ``right`` is the tool whose right an agent needs to use the step. A pure step changes nothing
    outside its output and its folder, so an earlier output may stand for it.
    """

    about: str
    takes: str
    gives: str
    version: int = 1
    right: str | None = None
    is_pure: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A unit of work that is recorded once it has finished.

    ``target`` names a function as ``module:function``, like a Python entry point; the process
    that runs the step imports it, nobody else does. The function takes the context, the run's
    parameters and the inputs its workflow picked, and returns a small dictionary of JSON
    values. It runs again if its process was killed before the result was recorded, so its
    effects must be idempotent for one ``run_id``.

    An isolated step has a process of its own, which cancelling kills; another step runs in a
    thread of the worker and, when cancelled, ends by itself with its result dropped. If that
    process is killed from outside, such as for want of memory, it is started again up to
    ``restarts`` times: for a step that goes on where it was.

    ``cpu`` is how many cores must be free in the worker before a pipeline begins the step, unless
    the pipeline says otherwise; 0 for one that hardly computes.

    One that ``waits`` mostly waits for something else, maybe for days, and may be cut at any
    moment: a worker that is asked to leave does not wait for its end.

    One that ``moves`` keeps what it needs to go on in the state database, where that is shared: if
    its worker dies, one of another data directory goes on with it.
    """

    target: str
    isolated: bool = False
    restarts: int = 0
    signature: Signature | None = None
    cpu: float = 1.0
    waits: bool = False
    moves: bool = False

    def load(self) -> StepFunction:
        """Import the function."""
        return cast(StepFunction, resolve(self.target))


STEPS: Catalog[Step] = Catalog("step", extended_by="steps", must_have=("target", "load"))


def run_folder(settings: Settings, run_id: str, place: str = "") -> Path:
    """Return the folder of a run, or of a place in it, creating it."""
    folder = settings.home / "runs" / run_id / place
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def load_plugins(settings: Settings) -> None:
    """Import the modules that register further steps and workflows."""
    for module in settings.plugins:
        importlib.import_module(module)
