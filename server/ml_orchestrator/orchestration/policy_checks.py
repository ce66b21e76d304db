"""Policies judged by logged choices: those of our own log, or of a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.options import InlineTable
from ml_orchestrator.learning.learner import Learner
from ml_orchestrator.learning.models import FeedbackKind
from ml_orchestrator.learning.policy_models import PolicyColumns, PolicyReport
from ml_orchestrator.learning.policy_value import AllActions, LoggedActions, PolicyRows, value_of
from ml_orchestrator.learning.targets import report_on_log
from ml_orchestrator.orchestration.samples import SampleReader
from ml_orchestrator.settings import Settings

__all__ = ["PolicyChecker"]

MOST_DECISIONS = 20_000
CLOSE = 1e-6


class PolicyChecker:
    """Says what another policy would have earned, or why that cannot be said."""

    def __init__(self, settings: Settings, learner: Callable[[], Learner]) -> None:
        self._samples = SampleReader(settings)
        self._learner = learner

    def on_log(self, target: str, kind: FeedbackKind) -> PolicyReport:
        """Return what a policy would have earned in the newest logged decisions.

        Raises:
            InvalidInputError: too few judged decisions, or an unknown target.
        """
        decisions = self._learner().log.newest(kind, n=MOST_DECISIONS)
        return report_on_log(decisions, target, kind=kind)

    def on_table(self, table: str | InlineTable, columns: PolicyColumns) -> PolicyReport:
        """Return what a policy would have earned in the rows of a table.

        Raises:
            InvalidInputError: a column is missing, or holds what it cannot.
            OrchestratorError: the table cannot be read; the message says why.
        """
        side = self._samples.side(table)
        rewards = _numbers(side.rows, columns.reward)
        has_reward = np.isfinite(rewards)
        notices = list(side.notices)
        if n_without := int((~has_reward).sum()):
            notices.append(f"{n_without:,} rows without a reward were passed over.")
        kept = {name: values[has_reward] for name, values in side.rows.items()}
        target = _numbers(kept, columns.target)
        propensities, logged = _numbers(kept, columns.propensity), _logged(kept, columns)
        rows = PolicyRows(
            rewards[has_reward],
            propensities,
            target,
            _all_actions(kept, columns, target, logged) if columns.chances and logged else None,
            logged,
        )
        return value_of(rows, level="L1", notices=notices)


def _numbers(table: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float64]:
    values = _column(table, name)
    if values.dtype == object or values.dtype.kind not in "fiub":
        raise InvalidInputError(f"Column {name!r} must hold numbers.")
    return values.astype(np.float64)


def _column(table: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name not in table:
        raise InvalidInputError(f"There is no column {name!r}; there are {', '.join(table)}.")
    return table[name]


def _logged(table: Mapping[str, NDArray[Any]], columns: PolicyColumns) -> LoggedActions | None:
    """Return the actions taken; None where no column says them and none has to."""
    if columns.action not in table and not columns.chances:
        return None
    taken = [_spelled(value) for value in _column(table, columns.action)]
    names = list(columns.chances or sorted(set(taken)))
    if unknown := sorted(set(taken) - set(names)):
        raise InvalidInputError(
            f"Actions without a column in chances: {', '.join(unknown[:10])}. Name one for each."
        )
    number = {name: i for i, name in enumerate(names)}
    return LoggedActions(names, np.array([number[name] for name in taken], dtype=np.intp))


def _all_actions(
    table: Mapping[str, NDArray[Any]],
    columns: PolicyColumns,
    target: NDArray[np.float64],
    logged: LoggedActions,
) -> AllActions:
    """Return the chances of all actions, after a look that they fit those of the taken ones."""
    chances, actions = columns.chances or {}, logged.taken
    all_chances = np.column_stack([_numbers(table, chances[name]) for name in logged.names])
    sums = all_chances.sum(axis=1)
    if not np.all(np.abs(sums - 1) < 1e-3) or not np.all(all_chances >= 0):
        raise InvalidInputError(
            "The chances of all actions must be at least 0 and sum to 1 in each row; found sums "
            f"from {sums.min():.4g} to {sums.max():.4g}."
        )
    if not np.allclose(all_chances[np.arange(len(actions)), actions], target, atol=CLOSE):
        raise InvalidInputError(
            f"Column {columns.target!r} is not the chance of the action taken that its column in "
            "chances gives. Make them agree."
        )
    return AllActions(actions, all_chances, _contexts(table, columns.contexts, len(actions)))


def _contexts(
    table: Mapping[str, NDArray[Any]], names: Sequence[str], n: int
) -> NDArray[np.float64]:
    if not names:
        return np.zeros((n, 1))
    return np.column_stack([_numbers(table, name) for name in names])


def _spelled(value: object) -> str:
    """Return an action as text; a whole number without its decimal point."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
