"""What evaluating a policy from logged choices gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.records import Record

__all__ = [
    "Interval",
    "Method",
    "PolicyColumns",
    "PolicyReport",
    "RuleInsight",
    "RuleVerdict",
    "WeightSupport",
    "named_columns",
]

Method = Literal["ips", "snips", "direct_method", "doubly_robust"]
CHANCE = "chance:"
RuleVerdict = Literal["helps", "harms", "unclear"]


@dataclass(frozen=True, slots=True)
class PolicyColumns:
    """Where the rows of a log stand in a table.

    Attributes:
        target: column of the target policy's chance of the action taken.
        reward: column of rewards; rows without one are passed over.
        propensity: column of the logging policy's chance of the action taken.
        action: column of the action taken; needed for ``chances``.
        chances: action to the column of the target policy's chance of it; with it, a model of
            rewards is used too.
        contexts: columns of numbers that the model may use.
    """

    target: str
    reward: str = "reward"
    propensity: str = "propensity"
    action: str = "action"
    chances: Mapping[str, str] | None = None
    contexts: Sequence[str] = ()


class Interval(Record):
    """A value and its 95 % interval; no interval where nothing says how wrong it may be."""

    value: float
    low: float | None
    high: float | None


class WeightSupport(Record):
    """How far the rows can speak for the policy."""

    effective_n: Annotated[float, Field(description="Rows the weighted ones count for.")]
    effective_share: float
    mean_weight: Annotated[float, Field(description="Near 1 where propensities are right.")]
    largest_weight: float


class RuleInsight(Record):
    """What a rule does in a kind of context: rewards with it minus those without."""

    rule: str
    group: Annotated[str, Field(description="Kind of context; everywhere: all of them.")]
    verdict: Annotated[RuleVerdict, Field(description="By q_value, at most 0.1.")]
    effect: float
    low: float
    high: float
    mean_with: float
    mean_without: float
    n_with: int
    n_without: int
    effective_n: Annotated[float, Field(description="Of the thinner side, after weighing.")]
    p_value: float
    q_value: Annotated[float, Field(description="Benjamini-Hochberg over all insights.")]


class PolicyReport(Record):
    """What another policy would have earned, or why that cannot be said."""

    is_refused: bool
    conclusion: Annotated[str, Field(description="What may be said, in words.")]
    reason: Annotated[str | None, Field(description="Why it is refused.")] = None
    level: Annotated[Literal["L1", "L2"], Field(description="L1: outcomes; L2: task metric.")]
    n: Annotated[int, Field(description="Rows that were used.")]
    logged: Annotated[Interval, Field(description="What the logged policy earned.")]
    best: Annotated[Method | None, Field(description="The estimate to go by.")] = None
    gain: Annotated[Interval | None, Field(description="Over the logged policy, by best.")] = None
    estimates: dict[Method, Interval]
    support: WeightSupport
    insights: Annotated[
        tuple[RuleInsight, ...],
        Field(description="Of the log: which rules help where, surest first."),
    ] = ()
    notices: tuple[str, ...] = ()


def named_columns(
    target: str, columns: Mapping[str, str], contexts: Sequence[str]
) -> PolicyColumns:
    """Return where rows stand, of names that a caller gives.

    Args:
        target: column of the target policy's chance of the action taken.
        columns: ``reward``, ``propensity``, ``action`` or ``chance:ACTION`` to a column's name.
        contexts: columns that a model of rewards may use.

    Raises:
        InvalidInputError: a name is none of these, or contexts come without chances.
    """
    chances = {
        name.removeprefix(CHANCE): column
        for name, column in columns.items()
        if name.startswith(CHANCE)
    }
    plain = {name: column for name, column in columns.items() if not name.startswith(CHANCE)}
    if unknown := sorted(set(plain) - {"reward", "propensity", "action"}):
        raise InvalidInputError(
            f"columns knows reward, propensity, action and {CHANCE}ACTION; not {unknown[0]!r}."
        )
    if contexts and not chances:
        raise InvalidInputError(
            f"contexts serve a model of rewards, which needs {CHANCE}ACTION in columns for every "
            "action: the column of the target policy's chance of it."
        )
    return PolicyColumns(target, **plain, chances=chances or None, contexts=tuple(contexts))
