"""What may be done to columns beyond reading them, and when a search tries and keeps it.

An option is tried on a family's defaults, beside the same defaults without it. A family goes on
with the options of its best complete trial: what does not measure better is not used again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ml_orchestrator.training.families import full, local
from ml_orchestrator.training.preprocessing import OPTION_NAMES
from ml_orchestrator.training.space import Params, ParamValue
from ml_orchestrator.training.study import FinishedTrial, ranked
from ml_orchestrator.training.table import TrainingTable
from ml_orchestrator.training.trainers import TRAINERS

__all__ = ["first_points", "kept_options", "probes", "suitable_options", "with_best_past"]

ON: Mapping[str, str] = MappingProxyType({"pairs": "chosen", "screening": "shadows"})
MIN_COLUMNS_TO_SCREEN = 10
N_FAMILIES_OF_PAST = 2  # whose defaults are tried with each way to look back
N_PROBED = 2  # families that lead
LINES = "linear"  # the family that gains most from products


@dataclass(frozen=True, slots=True)
class _Choice:
    """The options that suit a table."""

    past: tuple[str, ...]
    others: tuple[str, ...]


def first_points(families: Sequence[str], table: TrainingTable) -> list[Params]:
    """Return the defaults to try first: of all families, or, of series, the first two's in turn.

    Those without the past and with each way to use it; the others follow, once that is known, by
    ``with_best_past``.
    """
    ways = _choice(table).past
    if not ways:
        return [_default(name, {}) for name in families]
    return [
        _default(name, options) for name in families[:N_FAMILIES_OF_PAST] for options in _ways(ways)
    ]


def with_best_past(
    families: Sequence[str], table: TrainingTable
) -> Callable[[Sequence[FinishedTrial]], list[Params]]:
    """Return what gives the defaults of the families left, with the way that did best so far."""

    def points(trials: Sequence[FinishedTrial]) -> list[Params]:
        if not _choice(table).past:
            return []
        best = ranked(trials, higher_is_better=table.metric.higher_is_better)
        options = _options_of(best[0]) if best else {}
        return [_default(name, options) for name in families[N_FAMILIES_OF_PAST:]]

    return points


def probes(table: TrainingTable) -> Callable[[Sequence[FinishedTrial]], list[Params]]:
    """Return what gives the defaults to try again with an option more.

    Of the two families whose defaults did best and of linear models.
    """

    def points(trials: Sequence[FinishedTrial]) -> list[Params]:
        best = ranked(trials, higher_is_better=table.metric.higher_is_better)
        leaders = [*dict.fromkeys(str(trial.params["trainer"]) for trial in best)]
        chosen = dict.fromkeys([*leaders[:N_PROBED], *(n for n in leaders if n == LINES)])
        return [
            _default(name, {**_options_of(_first_of(name, best)), option: ON[option]})
            for name in chosen
            for option in _choice(table).others
        ]

    return points


def kept_options(
    table: TrainingTable,
) -> Callable[[str, Sequence[FinishedTrial]], Params]:
    """Return what gives the options that a family goes on with, under its name."""

    def options(family: str, trials: Sequence[FinishedTrial]) -> Params:
        best = ranked(trials, higher_is_better=table.metric.higher_is_better)
        own = [trial for trial in best if trial.params["trainer"] == family]
        if own:
            return _scoped(family, _options_of(own[0]))
        way = _options_of(best[0]).get("past") if best else None
        return _scoped(family, {"past": way}) if way else {}

    return options


def suitable_options(table: TrainingTable) -> Callable[[Mapping[str, ParamValue]], Params]:
    """Return what keeps, of a configuration's options, those that this table can have, too."""
    choice = _choice(table)
    known = {("past", way) for way in choice.past} | {(name, ON[name]) for name in choice.others}
    return lambda params: {name: v for name, v in params.items() if (name, v) in known}


def _choice(table: TrainingTable) -> _Choice:
    kinds = table.kinds
    is_number = table.task == "regression"
    past: tuple[str, ...] = ()
    if kinds.past is not None:
        past = ("values", "change") if is_number else ("values",)
    others = ["pairs"] if len(kinds.numeric) > 1 else []
    others += ["screening"] if len(kinds.names) >= MIN_COLUMNS_TO_SCREEN else []
    return _Choice(past, tuple(others))


def _ways(past: Sequence[str]) -> list[Params]:
    ways: list[Params] = [{}]
    return ways + [{"past": way} for way in past]


def _default(family: str, options: Params) -> Params:
    return full(family, {**TRAINERS[family].first_params, **options})


def _options_of(trial: FinishedTrial) -> Params:
    return {name: value for name, value in local(trial.params).items() if name in OPTION_NAMES}


def _first_of(family: str, best: Sequence[FinishedTrial]) -> FinishedTrial:
    return next(trial for trial in best if trial.params["trainer"] == family)


def _scoped(family: str, options: Params) -> Params:
    return {f"{family}.{name}": value for name, value in options.items()}
