"""What an experiment is asked for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.models import Level

__all__ = ["Correction", "ExperimentOptions", "Method", "Planned"]

Method = Literal[
    "auto",
    "welch",
    "student",
    "z",
    "mann_whitney",
    "permutation",
    "bootstrap",
    "bayes",
    "msprt",
    "betting",
]
Correction = Literal["holm", "benjamini_hochberg", "max_t"]
MONITORED = ("msprt", "betting")
USUAL_POWER = 0.8
MOST_PER_ARM = 1e9


@dataclass(frozen=True, slots=True)
class Planned:
    """What was written down before the data came.

    Attributes:
        effect: smallest difference of means that matters.
        baseline: rate of the control, of 0/1 outcomes.
        sd: standard deviation of other outcomes.
        power: chance to find ``effect``.
        n_per_arm: units in each arm at which the experiment ends.
        low: least value that can occur, for betting.
        high: largest value that can occur, for betting.
    """

    effect: float | None = None
    baseline: float | None = None
    sd: float | None = None
    power: float = USUAL_POWER
    n_per_arm: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, given: Mapping[str, float]) -> "Planned":
        """Return the plan in a mapping.

        Raises:
            InvalidInputError: a name is unknown, or a value cannot be.
        """
        known = tuple(cls.__slots__)
        for name, value in given.items():
            if name not in known:
                raise InvalidInputError(f"plan has no {name!r}; known: {', '.join(known)}.")
            if not math.isfinite(value):
                raise InvalidInputError(f"plan: {name} must be a finite number; found {value}.")
        plan = cls(**given)
        plan._check()
        return plan

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Return what can occur at all, if both ends were given."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def _check(self) -> None:
        faults = {
            "effect must not be 0": self.effect == 0,
            "baseline must lie between 0 and 1": not 0 < (self.baseline or 0.5) < 1
            or self.baseline == 0,
            "sd must be above 0": self.sd is not None and self.sd <= 0,
            "power must lie between 0 and 1": not 0 < self.power < 1,
            "n_per_arm must be 2 or more": self.n_per_arm is not None
            and not 2 <= self.n_per_arm <= MOST_PER_ARM,
            "low must be below high": self.bounds is not None and self.bounds[0] >= self.bounds[1],
        }
        found = [fault for fault, is_so in faults.items() if is_so]
        if found:
            raise InvalidInputError(f"plan: {'; '.join(found)}.")


@dataclass(frozen=True, slots=True)
class ExperimentOptions:
    """Where an experiment stands in a table and how it is judged.

    Attributes:
        arm: column of the arm.
        outcome: column of the outcome: 0/1, or any numbers.
        control: the arm that others are held against; else ``control``, ``a`` or the first.
        covariate: column of the time before, taken out of the outcome (CUPED).
        unit: column of whose row it is, where units have several rows.
        time_column: when rows came; else as they stand.
        method: one of ``Method``.
        is_monitored: the result is looked at again and again, and may end the experiment.
        alpha: chance of a false finding that is accepted, over all arms.
        margin: a difference so small that it does not matter, in units of the outcome.
        lower_is_better: of the outcome.
        correction: for many arms.
        guards: column to the loss that is acceptable (larger values are better); a negative
            number says that smaller values are better.
        shares: arm to planned weight; equal without.
        planned: what was written down before.
        level: of the claim.
        seed: of permutations and bootstrap.
        with_plot: whether a picture is wanted.
    """

    arm: str | None = None
    outcome: str | None = None
    control: str | None = None
    covariate: str | None = None
    unit: str | None = None
    time_column: str | None = None
    method: Method = "auto"
    is_monitored: bool = False
    alpha: float = 0.05
    margin: float | None = None
    lower_is_better: bool = False
    correction: Correction = "holm"
    guards: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    planned: Planned = field(default_factory=Planned)
    level: Level = "L1"
    seed: int = 0
    with_plot: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise InvalidInputError(f"alpha must lie between 0 and 0.5; found {self.alpha}.")
        if self.margin is not None and not self.margin > 0:
            raise InvalidInputError(f"margin must be above 0; found {self.margin}.")
        if self.is_monitored and self.method not in ("auto", *MONITORED):
            raise InvalidInputError(
                f"{self.method} may be looked at once only: stopping when it looks good raises "
                "false alarms, and that goes for Bayesian probabilities too. For a monitored "
                f"experiment choose auto, {' or '.join(MONITORED)}; or look once, at the size "
                "planned (is_monitored false)."
            )

    @property
    def is_sequential(self) -> bool:
        """Whether a method is wanted that holds at every look."""
        return self.is_monitored or self.method in MONITORED
