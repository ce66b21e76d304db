"""Trials in other processes, several at once: what is sent there, and what comes back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ml_orchestrator.training.course import Rivals
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.out_of_fold import Timing
from ml_orchestrator.training.space import Params

__all__ = ["Answered", "Cluster", "Ended", "Order", "Pool", "Trial"]


@dataclass(frozen=True, slots=True)
class Order:
    """One trial to run.

    ``left_s`` is how long it may take; None lets it run to its end, as long as no trial has.
    ``rivals`` are the trials that had finished when it was sent.
    """

    params: Params
    rivals: Rivals
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a complete trial said about rows it was not fitted on, a part for each fold."""

    folds: tuple[Predictions, ...]
    score: float
    timing: Timing


@dataclass(frozen=True, slots=True)
class Ended:
    """How a trial ended; see ``FinishedTrial`` for what it found.

    ``cut off`` had no time left. ``died`` lost its process, or the machine that had it;
    ``is_final`` says that a second try would, too. ``lost`` is a trial that its cluster lost by
    a fault of its own: that says nothing of the trial.
    """

    state: Literal["complete", "pruned", "failed", "cut off", "died", "lost"]
    scores: tuple[float, ...] = ()
    seconds: float = 0.0
    error: str = ""
    costs: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    answered: Answered | None = None
    is_final: bool = False


Trial = Callable[[Order], Ended]
"""Runs a trial to its end, in whatever process it is called; raises nothing it can help."""


class Pool(Protocol):
    """Processes that run trials of one search, several at once; used by one thread."""

    @property
    def width(self) -> int:
        """How many run at once."""
        ...

    def begin(self, index: int, order: Order) -> None:
        """Send a trial off; it may wait for a free process."""
        ...

    def ended(self, within_s: float) -> Sequence[tuple[int, Ended]]:
        """Return trials that have ended, in that order; wait for a first one for so long.

        With none sent off it waits just as long and returns nothing.

        Raises:
            UnavailableError: the processes cannot be reached any more.
        """
        ...

    def give_up(self) -> None:
        """Kill all trials that run and forget those that wait."""
        ...


class Cluster(Protocol):
    """Where pools come from."""

    @property
    def about(self) -> str:
        """What it is, for people."""
        ...

    def pool(self, trial: Trial) -> Pool:
        """Return a pool that runs ``trial``, which is sent once with all that it holds."""
        ...
