"""What an experiment is asked for."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.models import Level

__all__ = ["Correction", "ExperimentOptions", "Method", "Planned", "options_of"]

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

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Return what can occur at all, if both ends were given."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def __post_init__(self) -> None:
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


def options_of(
    plan: Mapping[str, Any], columns: Mapping[str, str] = MappingProxyType({}), **others: Any
) -> ExperimentOptions:
    """Return options, those of a plan among them.

    Args:
        plan: fields of `Planned`, and control, method, alpha, margin, lower_is_better,
            correction, shares, guards. A guard says how far a column may go in its bad
            direction: ``{"latency_ms": {"may_rise": 5}, "kept": {"may_fall": 0.01}}``.
        columns: arm, outcome, covariate, unit and time to the names of columns.
        others: the other fields of `ExperimentOptions`.

    Raises:
        InvalidInputError: a name is unknown, or a value is of the wrong kind or cannot be.
    """
    unknown = [role for role in columns if role not in _ROLES]
    if unknown:
        raise InvalidInputError(
            f"columns has no role {unknown[0]!r:.80}; known: {', '.join(_ROLES)}."
        )
    for name, value in plan.items():
        if name not in _KINDS:
            raise InvalidInputError(f"plan has no {name!r:.80}; known: {', '.join(_KINDS)}.")
        wanted, fits = _KINDS[name]
        if not fits(value):
            raise InvalidInputError(f"plan: {name} must be {wanted}; found {value!r:.80}.")
    numbers = {name: plan[name] for name in Planned.__slots__ if name in plan}
    rest = {name: value for name, value in plan.items() if name not in numbers}
    if "guards" in rest:
        rest["guards"] = {column: _margin(allowed) for column, allowed in rest["guards"].items()}
    roles: dict[str, Any] = {_ROLES[role]: name for role, name in columns.items()}
    return ExperimentOptions(planned=Planned(**numbers), **rest, **roles, **others)


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold; whole ones may be of any length."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) <= sys.float_info.max


def _is_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_number, value.values()))


def _is_guards(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_allowance, value.values()))


def _is_allowance(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((direction, amount),) = value.items()
    return direction in _DIRECTIONS and _is_number(amount) and amount > 0


def _margin(allowed: Mapping[str, float]) -> float:
    """Return the loss that is acceptable, negative where smaller values are better."""
    ((direction, amount),) = allowed.items()
    return _DIRECTIONS[direction] * amount


_DIRECTIONS = {"may_fall": 1.0, "may_rise": -1.0}
_ROLES = {
    "arm": "arm",
    "outcome": "outcome",
    "covariate": "covariate",
    "unit": "unit",
    "time": "time_column",
}
_NUMBER = ("a finite number", _is_number)
_WEIGHTS = ("an object of names and numbers", _is_weights)
_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(Planned.__slots__, _NUMBER),
    "alpha": _NUMBER,
    "margin": _NUMBER,
    "lower_is_better": ("true or false", lambda value: isinstance(value, bool)),
    "correction": (
        f"one of {', '.join(get_args(Correction))}",
        lambda v: v in get_args(Correction),
    ),
    "control": ("the name of an arm", lambda value: isinstance(value, str)),
    "method": (f"one of {', '.join(get_args(Method))}", lambda v: v in get_args(Method)),
    "guards": (
        'an object of columns, each with how far it may go in its bad direction: {"may_rise": '
        'number above 0} or {"may_fall": number above 0}',
        _is_guards,
    ),
    "shares": _WEIGHTS,
}
